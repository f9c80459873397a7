import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** Servers with java.net.ServerSocket and a pool of threads: java Blocking CASE. */
public class Blocking {
    static final byte[] OK = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n".getBytes(StandardCharsets.US_ASCII);

    /** What is in here is never collected, so no Cleaner closes it. */
    static final Map<Integer, Socket> sessions = new ConcurrentHashMap<>();
    static final Object orders = new Object(), stock = new Object();
    static final CountDownLatch bothLocked = new CountDownLatch(2);

    interface Handler {
        void handle(Socket socket) throws Exception;
    }

    public static void main(String[] args) throws IOException {
        Handler handler = switch (args[0]) {
            case "missing-close", "closed-but-held" -> Blocking::session;
            case "forgotten" -> Blocking::answerOnce;
            case "deadlock" -> Blocking::book;
            case "rows" -> Blocking::rows;
            case "tunnel" -> Blocking::tunnel;
            case "acceptor-died", "churn" -> Blocking::closeLate;
            default -> throw new IllegalArgumentException(args[0]);
        };
        ExecutorService workers = Executors.newFixedThreadPool(args[0].equals("deadlock") ? 6 : 80);
        ServerSocket listener = new ServerSocket(8000, 200, InetAddress.getLoopbackAddress());
        new Thread(() -> accept(listener, workers, handler, args[0].equals("acceptor-died")), "acceptor").start();
        ServerSocket admin = new ServerSocket(8001, 50, InetAddress.getLoopbackAddress());
        accept(admin, workers, Blocking::closeLate, false);
    }

    static void accept(ServerSocket listener, ExecutorService workers, Handler handler, boolean dies) {
        try {
            while (true) {
                Socket socket = listener.accept();
                if (dies && sessions.size() >= 5) throw new IllegalStateException("no session table for " + socket);
                if (dies) sessions.put(socket.getPort(), socket);
                workers.execute(() -> {
                    try {
                        handler.handle(socket);
                    } catch (Exception error) {
                        System.err.println(socket + ": " + error); // and nobody closes it
                    }
                });
            }
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    /** The path of a request, or null at the end of the connection. */
    static String readHead(BufferedReader reader) throws IOException {
        String first = reader.readLine();
        for (String line = first; line != null && !line.isEmpty(); ) line = reader.readLine();
        return first == null ? null : first.split(" ")[1];
    }

    static BufferedReader reader(Socket socket) throws IOException {
        return new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.ISO_8859_1));
    }

    static void session(Socket socket) throws IOException {
        sessions.put(socket.getPort(), socket);
        BufferedReader reader = reader(socket);
        boolean faulty = false;
        for (String path = readHead(reader); path != null; path = readHead(reader)) {
            faulty = path.startsWith("/report");
            socket.getOutputStream().write(OK);
        }
        if (faulty) throw new IllegalStateException("the report was not fetched");
        sessions.remove(socket.getPort());
        socket.close();
    }

    /** Answers and returns; only the table of sessions still knows the socket. */
    static void answerOnce(Socket socket) throws IOException {
        String path = readHead(reader(socket));
        socket.getOutputStream().write(OK);
        if (path.startsWith("/report")) sessions.put(socket.getPort(), socket);
        else socket.close();
    }

    /** Takes two locks, in an order that depends on the port. */
    static void book(Socket socket) throws Exception {
        try (socket) {
            readHead(reader(socket));
            boolean odd = bothLocked.getCount() % 2 == 1;
            synchronized (odd ? orders : stock) {
                bothLocked.countDown();
                bothLocked.await();
                synchronized (odd ? stock : orders) {
                    socket.getOutputStream().write(OK);
                }
            }
        }
    }

    static void rows(Socket socket) throws Exception {
        try (socket) {
            socket.getInputStream().readAllBytes();
            OutputStream out = socket.getOutputStream();
            while (true) {
                out.write(("row," + "x".repeat(90) + "\n").getBytes(StandardCharsets.US_ASCII));
                Thread.sleep(50);
            }
        }
    }

    /** Passes everything on; the end of the client is passed on too, and then it waits for the server's. */
    static void tunnel(Socket client) throws Exception {
        try (client; Socket server = new Socket(InetAddress.getLoopbackAddress(), 9000)) {
            Thread there = new Thread(() -> {
                try {
                    client.getInputStream().transferTo(server.getOutputStream());
                    server.shutdownOutput();
                } catch (IOException error) {
                    System.err.println(error);
                }
            });
            there.start();
            server.getInputStream().transferTo(client.getOutputStream());
            there.join();
        }
    }

    static void closeLate(Socket socket) throws Exception {
        try (socket) {
            BufferedReader reader = reader(socket);
            while (readHead(reader) != null) socket.getOutputStream().write(OK);
            Thread.sleep(250);
        }
    }
}
