import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import org.apache.commons.pool2.BasePooledObjectFactory;
import org.apache.commons.pool2.PooledObject;
import org.apache.commons.pool2.impl.DefaultPooledObject;
import org.apache.commons.pool2.impl.GenericObjectPool;

/**
 * Servers whose fault is in one line, for who looks inside: java Inside CASE SERVICE_PORT. It prints READY and its port; a client
 * sends a line. The lines with a fault end with a comment that names it.
 */
public class Inside {
    static final byte[] QUESTION = "price\n".getBytes(StandardCharsets.US_ASCII);
    /** What is in here is never collected, so no Cleaner closes it. */
    static final Map<Integer, Session> sessions = new ConcurrentHashMap<>();
    static final Object orders = new Object(), stock = new Object();
    static final CountDownLatch bothLocked = new CountDownLatch(2);
    static int service;

    interface Handler {
        void handle(Socket socket) throws Exception;
    }

    static class Session {
        final Socket socket;

        Session(Socket socket) {
            this.socket = socket;
        }
    }

    public static void main(String[] args) throws Exception {
        service = Integer.parseInt(args[1]);
        Handler handler = handler(args[0]);
        if (args[0].equals("many")) for (int i = 0; i < 500; i++) start(() -> sleepDeep(30), "idle-" + i);
        ServerSocket listener = new ServerSocket(0, 200, InetAddress.getLoopbackAddress());
        System.out.println("READY " + listener.getLocalPort());
        for (int client = 0; ; client++) {
            Socket socket = listener.accept();
            if (args[0].equals("virtual")) startVirtual(() -> run(handler, socket));
            else start(() -> run(handler, socket), args[0] + "-" + client);
        }
    }

    static Handler handler(String name) {
        switch (name) {
            case "silent": case "many": case "virtual": return Inside::ask;
            case "deadlock": return Inside::book;
            case "missing-close": return Inside::session;
            case "pool": return new Pooled()::price;
            default: throw new IllegalArgumentException(name);
        }
    }

    static void start(Runnable work, String name) {
        new Thread(work, name).start();
    }

    /** Thread.startVirtualThread, which is there since JDK 21. */
    static void startVirtual(Runnable work) throws ReflectiveOperationException {
        Thread.class.getMethod("startVirtualThread", Runnable.class).invoke(null, work);
    }

    static void run(Handler handler, Socket socket) {
        try {
            handler.handle(socket);
        } catch (Exception error) {
            System.err.println(socket + ": " + error); // and nobody closes it
        }
    }

    static void sleepDeep(int frames) {
        if (frames > 0) {
            sleepDeep(frames - 1);
            return;
        }
        try {
            Thread.sleep(600_000);
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
        }
    }

    static int readLine(InputStream in) throws IOException {
        int got;
        do got = in.read();
        while (got >= 0 && got != '\n');
        return got;
    }

    /** Asks the service, which never answers. */
    static void ask(Socket client) throws IOException {
        readLine(client.getInputStream());
        try (Socket prices = new Socket(InetAddress.getLoopbackAddress(), service)) {
            prices.getOutputStream().write(QUESTION);
            prices.getInputStream().read(); // silent
        }
        client.close();
    }

    static void book(Socket client) throws Exception {
        readLine(client.getInputStream());
        boolean odd = Thread.currentThread().getName().endsWith("1");
        synchronized (odd ? orders : stock) {
            bothLocked.countDown();
            bothLocked.await();
            synchronized (odd ? stock : orders) { client.close(); } // deadlock
        }
    }

    static void session(Socket client) throws IOException {
        sessions.put(client.getPort(), new Session(client));
        while (readLine(client.getInputStream()) >= 0) { // missing-close
            client.getOutputStream().write('\n');
        }
    }

    /** Borrows a connection for each client, and gives none back. */
    static class Pooled {
        final GenericObjectPool<Socket> pool = new GenericObjectPool<>(new BasePooledObjectFactory<Socket>() {
            @Override
            public Socket create() throws IOException {
                return new Socket(InetAddress.getLoopbackAddress(), service);
            }

            @Override
            public PooledObject<Socket> wrap(Socket socket) {
                return new DefaultPooledObject<>(socket);
            }
        });

        void price(Socket client) throws Exception {
            readLine(client.getInputStream());
            Socket connection = pool.borrowObject(); // pool
            connection.getOutputStream().write(QUESTION);
            client.close();
        }
    }
}
