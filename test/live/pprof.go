// Holds five connections whose ends it has read, in goroutines that wait for something else; serves its profiles where the
// argument says. It prints READY with its pid and that address, and ends with its input.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"time"
)

var kept []net.Conn

func handle(conn net.Conn, results chan int) {
	io.Copy(io.Discard, conn)
	<-results
	conn.Close()
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	results := make(chan int)
	for i := 0; i < 5; i++ {
		client, _ := net.Dial("tcp", listener.Addr().String())
		server, _ := listener.Accept()
		go handle(server, results)
		client.(*net.TCPConn).CloseWrite()
		kept = append(kept, client)
	}
	profiles, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		panic(err)
	}
	go http.Serve(profiles, nil)
	time.Sleep(100 * time.Millisecond)
	fmt.Printf("READY {\"pid\": %d, \"profiles\": \"%s\"}\n", os.Getpid(), profiles.Addr())
	os.Stdin.Read(make([]byte, 1))
}
