// Servers and clients in Go: program CASE.
package main

import (
	"bufio"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

const okAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"

var (
	mutex  sync.Mutex
	online = map[string]net.Conn{} // a forgotten net.Conn is closed by its finalizer, one in a map is not
)

func remember(conn net.Conn) {
	mutex.Lock()
	defer mutex.Unlock()
	online[conn.RemoteAddr().String()] = conn
}

func listen(port int) net.Listener {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		log.Fatal(err)
	}
	return listener
}

func serve(listener net.Listener, handle func(net.Conn)) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go handle(conn)
	}
}

func connect(port int) net.Conn {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		log.Fatal(err)
	}
	return conn
}

// readHead returns the first line of a request, or an error.
func readHead(reader *bufio.Reader) (string, error) {
	first, err := reader.ReadString('\n')
	for line := first; err == nil && strings.TrimSpace(line) != ""; {
		line, err = reader.ReadString('\n')
	}
	return first, err
}

// session reads requests to the end. After /report it returns early on any error: at the end of the stream
// (missing-close) or a reset (closed-but-held).
func session(conn net.Conn) {
	remember(conn)
	reader := bufio.NewReader(conn)
	faulty := false
	for {
		line, err := readHead(reader)
		if err != nil && faulty {
			log.Printf("%s: %v", conn.RemoteAddr(), err)
			return
		}
		if err != nil {
			conn.Close()
			return
		}
		faulty = strings.Contains(line, "/report")
		io.WriteString(conn, okAnswer)
	}
}

// queued hands connections to four workers, all of which wait for a backend that never answers.
func queued() {
	waiting := make(chan net.Conn, 500)
	for i := 0; i < 4; i++ {
		go func() {
			for conn := range waiting {
				readHead(bufio.NewReader(conn))
				backend := connect(9000)
				io.WriteString(backend, "GET /stock HTTP/1.0\r\n\r\n")
				io.ReadAll(backend)
				backend.Close()
				conn.Close()
			}
		}()
	}
	serve(listen(8000), func(conn net.Conn) { waiting <- conn })
}

// limited accepts as many connections as it has slots; a panic-free error path does not give its slot back.
func limited() {
	slots := make(chan struct{}, 5)
	listener := listen(8000)
	for {
		slots <- struct{}{}
		conn, err := listener.Accept()
		if err != nil {
			log.Fatal(err)
		}
		go func() {
			defer conn.Close()
			if line, err := readHead(bufio.NewReader(conn)); err != nil || strings.Contains(line, "/report") {
				return // without <-slots
			}
			io.WriteString(conn, okAnswer)
			<-slots
		}()
	}
}

// tunnel copies both ways and waits only for what comes back.
func tunnel(client net.Conn) {
	server := connect(9000)
	defer client.Close()
	defer server.Close()
	go io.Copy(server, client)
	io.Copy(client, server)
}

// rows reads the whole question and answers slowly.
func rows(conn net.Conn) {
	defer conn.Close()
	io.ReadAll(conn)
	for {
		if _, err := fmt.Fprintf(conn, "row,%s\n", strings.Repeat("x", 80)); err != nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// events is a handler for server-sent events on a hijacked connection: it only writes.
func events(writer http.ResponseWriter, request *http.Request) {
	conn, _, err := writer.(http.Hijacker).Hijack()
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
	for {
		if _, err := fmt.Fprintf(conn, "data: %s\n\n", strings.Repeat("p", 4000)); err != nil {
			return
		}
	}
}

// badAnswers does not close the body of an answer whose status it does not like.
func badAnswers() {
	client := &http.Client{}
	kept := []*http.Response{}
	for i := 0; i < 115; i++ {
		answer, err := client.Get(fmt.Sprintf("http://127.0.0.1:9000/orders/%d", i))
		if err != nil {
			log.Fatal(err)
		}
		if answer.StatusCode != http.StatusOK {
			kept = append(kept, answer)
		}
		time.Sleep(10 * time.Millisecond)
	}
	for range time.Tick(time.Second) {
		fmt.Fprintln(os.Stderr, len(kept), "orders failed")
	}
}

type pooled struct {
	conn   net.Conn
	reader *bufio.Reader
}

func (one pooled) call() {
	io.WriteString(one.conn, "GET /prices HTTP/1.1\r\nHost: prices\r\n\r\n")
	answer, err := http.ReadResponse(one.reader, nil)
	if err != nil {
		log.Fatal(err)
	}
	io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
}

// pool is a pool as of a cache client: last in, first out, idle connections are not looked at.
func pool() {
	idle := []pooled{}
	for i := 0; i < 16; i++ {
		conn := connect(9000)
		idle = append(idle, pooled{conn, bufio.NewReader(conn)})
	}
	for _, one := range idle {
		one.call()
	}
	for range time.Tick(100 * time.Millisecond) {
		idle[len(idle)-1].call()
		idle[len(idle)-2].call()
	}
}

// upgrade starts a child that gets copies of the connections, as for a restart without a gap; it never takes over.
func upgrade() {
	connections := []net.Conn{}
	serve(listen(8000), func(conn net.Conn) {
		mutex.Lock()
		connections = append(connections, conn)
		if len(connections) == 20 {
			child := exec.Command("sleep", "600")
			for _, one := range connections {
				file, _ := one.(*net.TCPConn).File()
				child.ExtraFiles = append(child.ExtraFiles, file)
			}
			if err := child.Start(); err != nil {
				log.Fatal(err)
			}
			for _, file := range child.ExtraFiles {
				file.Close()
			}
		}
		mutex.Unlock()
		reader := bufio.NewReader(conn)
		for {
			if _, err := readHead(reader); err != nil {
				break
			}
			io.WriteString(conn, okAnswer)
		}
		conn.Close()
	})
}

// website is a correct HTTP server beside a correct client of a service, both with connections that idle.
func website() {
	go func() {
		for range time.Tick(200 * time.Millisecond) {
			if answer, err := http.Get("http://127.0.0.1:9000/prices"); err == nil {
				io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
			}
		}
	}()
	http.HandleFunc("/", func(writer http.ResponseWriter, _ *http.Request) { io.WriteString(writer, "ok\n") })
	log.Fatal(http.Serve(listen(8000), nil))
}

// handlers is an HTTP server whose handlers wait for a slot that nobody frees. Go reads on in the background, so the ends
// of the connections are read all the same.
func handlers() {
	slot := make(chan struct{})
	http.HandleFunc("/report", func(http.ResponseWriter, *http.Request) { slot <- struct{}{} })
	http.HandleFunc("/", func(writer http.ResponseWriter, _ *http.Request) { io.WriteString(writer, "ok\n") })
	log.Fatal(http.Serve(listen(8000), nil))
}

// slow closes correctly, a moment late.
func slow(conn net.Conn) {
	reader := bufio.NewReader(conn)
	for {
		if _, err := readHead(reader); err != nil {
			break
		}
		io.WriteString(conn, okAnswer)
	}
	time.Sleep(250 * time.Millisecond)
	conn.Close()
}

func main() {
	switch os.Args[1] {
	case "session":
		serve(listen(8000), session)
	case "session-and-pool":
		go pool()
		serve(listen(8000), session)
	case "queued":
		queued()
	case "limited":
		limited()
	case "tunnel":
		serve(listen(8000), tunnel)
	case "rows":
		serve(listen(8000), rows)
	case "events":
		http.HandleFunc("/feed", events)
		http.HandleFunc("/", func(writer http.ResponseWriter, _ *http.Request) { io.WriteString(writer, "ok\n") })
		log.Fatal(http.Serve(listen(8000), nil))
	case "bad-answers":
		badAnswers()
	case "pool":
		pool()
	case "upgrade":
		upgrade()
	case "handlers":
		handlers()
	case "website":
		website()
	case "slow":
		serve(listen(8000), slow)
	}
}
