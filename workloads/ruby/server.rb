# Servers with threads in Ruby: ruby server.rb CASE
require 'socket'

OK = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"
KEPT = [] # what is in here is not collected, so nothing closes it
CASE = ARGV.fetch(0)

def head(socket)
  first = socket.gets or return nil
  nil while (line = socket.gets) && line != "\r\n"
  first
end

def session(socket)
  KEPT << socket
  while (first = head(socket))
    faulty = first.include?('/report')
    socket.write(OK)
  end
  raise 'the report was not fetched' if faulty
  KEPT.delete(socket)
  socket.close
end

# Server-sent events: the thread of each subscriber only writes.
def feed(socket)
  if head(socket).include?('/feed')
    socket.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    loop { socket.write("data: #{'p' * 4000}\n\n") }
  end
  socket.write(OK)
ensure
  socket.close
end

# A pool of three workers; each borrows a connection to the database that somebody has not given back.
DATABASE = Queue.new
WAITING = Queue.new

def borrow(socket)
  head(socket)
  DATABASE.pop
  socket.write(OK)
  socket.close
end

# A pool as of a cache client: last in, first out, idle connections are not looked at.
def pool
  idle = Array.new(9) { TCPSocket.new('127.0.0.1', 9000) }
  idle.each { |one| ask(one) }
  loop do
    ask(idle.last)
    sleep 0.1
  end
end

def ask(socket)
  socket.write("GET /cart HTTP/1.1\r\nHost: cache\r\n\r\n")
  length = 0
  while (line = socket.gets) && line != "\r\n"
    length = line.split(':')[1].to_i if line.start_with?('Content-Length')
  end
  socket.read(length)
end

def serve(port, &handler)
  listener = TCPServer.new('127.0.0.1', port)
  listener.listen(200)
  loop { handler.call(listener.accept) }
end

def in_thread(socket, handler)
  Thread.new do
    Thread.current.report_on_exception = false
    send(handler, socket)
  end
end

case CASE
when 'missing-close', 'closed-but-held' then serve(8000) { |socket| in_thread(socket, :session) }
when 'not-reading' then serve(8000) { |socket| in_thread(socket, :feed) }
when 'stalled'
  3.times { Thread.new { loop { borrow(WAITING.pop) } } }
  Thread.new { sleep } # the one that has not given it back
  serve(8000) { |socket| WAITING << socket }
when 'pool' then pool
when 'inherited'
  pid = nil
  count = 0
  serve(8000) do |socket|
    count += 1
    in_thread(socket, :session)
    pid ||= fork { sleep } if count >= 15 # a report in the background, with copies of everything
  end
end
