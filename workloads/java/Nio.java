import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;

/** A server with one selector: java Nio CASE. */
public class Nio {
    static final ByteBuffer OK = ascii("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n");
    static final ByteBuffer EVENT = ascii("data: " + "p".repeat(4000) + "\n\n");
    static final Map<SocketChannel, Boolean> faulty = new HashMap<>();

    static ByteBuffer ascii(String text) {
        return ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII));
    }

    public static void main(String[] args) throws IOException {
        Selector selector = Selector.open();
        ServerSocketChannel listener = ServerSocketChannel.open();
        listener.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 8000), 200);
        listener.configureBlocking(false);
        listener.register(selector, SelectionKey.OP_ACCEPT);
        while (true) {
            selector.select();
            for (Iterator<SelectionKey> keys = selector.selectedKeys().iterator(); keys.hasNext(); ) {
                SelectionKey key = keys.next();
                keys.remove();
                if (!key.isValid()) continue;
                if (key.isAcceptable()) accept(selector, listener);
                else if (key.isReadable()) read(key, args[0]);
                else if (key.isWritable()) push(key);
            }
        }
    }

    static void accept(Selector selector, ServerSocketChannel listener) throws IOException {
        SocketChannel channel = listener.accept();
        if (channel == null) return;
        channel.configureBlocking(false);
        channel.register(selector, SelectionKey.OP_READ);
    }

    static void read(SelectionKey key, String fault) throws IOException {
        SocketChannel channel = (SocketChannel) key.channel();
        ByteBuffer data = ByteBuffer.allocate(4096);
        int got;
        try {
            got = channel.read(data);
        } catch (IOException reset) {
            System.err.println(channel + ": " + reset);
            key.cancel(); // the channel stays open
            return;
        }
        if (got == 0) return;
        if (got < 0) {
            if (faulty.getOrDefault(channel, false)) key.cancel(); // the channel stays open
            else close(channel);
            return;
        }
        String head = new String(data.array(), 0, got, StandardCharsets.ISO_8859_1);
        faulty.put(channel, head.contains("/report"));
        if (head.contains("/feed")) {
            key.interestOps(SelectionKey.OP_WRITE); // subscribers only listen
            return;
        }
        channel.write(OK.duplicate());
        if (fault.equals("forgotten") && head.contains("/report")) key.cancel();
    }

    static void push(SelectionKey key) throws IOException {
        SocketChannel channel = (SocketChannel) key.channel();
        ByteBuffer rest = key.attachment() == null ? EVENT.duplicate() : (ByteBuffer) key.attachment();
        try {
            channel.write(rest);
        } catch (IOException gone) {
            close(channel);
            return;
        }
        key.attach(rest.hasRemaining() ? rest : null);
    }

    static void close(SocketChannel channel) throws IOException {
        faulty.remove(channel);
        channel.close();
    }
}
