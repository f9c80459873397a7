import java.net.Socket;

/** Uses a class of Commons Pool, reads a connection to its end, and keeps it. */
public class Holder {
    public static void main(String[] args) throws Exception {
        Class.forName("org.apache.commons.pool2.impl.GenericObjectPool");
        Socket socket = new Socket("127.0.0.1", Integer.parseInt(args[0]));
        while (socket.getInputStream().read() >= 0) {
        }
        System.out.println("READY");
        Thread.sleep(60_000);
    }
}
