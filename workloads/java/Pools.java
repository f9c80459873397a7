import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.commons.pool2.BasePooledObjectFactory;
import org.apache.commons.pool2.PooledObject;
import org.apache.commons.pool2.impl.DefaultPooledObject;
import org.apache.commons.pool2.impl.GenericObjectPool;
import org.apache.http.client.methods.CloseableHttpResponse;
import org.apache.http.client.methods.HttpGet;
import org.apache.http.impl.client.CloseableHttpClient;
import org.apache.http.impl.client.HttpClients;
import org.apache.http.impl.conn.PoolingHttpClientConnectionManager;
import org.apache.http.util.EntityUtils;

/** Clients of port 9000 with pools of well-known libraries: java Pools CASE. */
public class Pools {
    public static void main(String[] args) throws Exception {
        switch (args[0]) {
            case "httpclient" -> httpClient(13);
            case "leaked" -> leaked();
            case "commons-pool" -> commonsPool(11);
            default -> throw new IllegalArgumentException(args[0]);
        }
    }

    static PoolingHttpClientConnectionManager manager(int most) {
        PoolingHttpClientConnectionManager manager = new PoolingHttpClientConnectionManager();
        manager.setMaxTotal(most);
        manager.setDefaultMaxPerRoute(most);
        return manager;
    }

    /** Apache HttpClient: a busy minute, then one request now and then. */
    static void httpClient(int most) throws Exception {
        CloseableHttpClient client = HttpClients.custom().setConnectionManager(manager(most)).build();
        List<CloseableHttpResponse> answers = new ArrayList<>();
        for (int i = 0; i < most; i++) answers.add(client.execute(new HttpGet("http://127.0.0.1:9000/prices")));
        for (CloseableHttpResponse answer : answers) EntityUtils.consume(answer.getEntity());
        while (true) {
            try (CloseableHttpResponse answer = client.execute(new HttpGet("http://127.0.0.1:9000/prices"))) {
                EntityUtils.consume(answer.getEntity());
            }
            Thread.sleep(100);
        }
    }

    /** A client per job; the answer of a failed one is neither consumed nor closed, so it never goes back to its pool. */
    static void leaked() throws Exception {
        List<CloseableHttpResponse> failed = new ArrayList<>();
        CloseableHttpClient client = HttpClients.custom().setConnectionManager(manager(200)).build();
        for (int order = 0; order < 125; order++) {
            CloseableHttpResponse answer = client.execute(new HttpGet("http://127.0.0.1:9000/orders/" + order));
            if (answer.getStatusLine().getStatusCode() != 200) failed.add(answer);
            else EntityUtils.consume(answer.getEntity());
            Thread.sleep(10);
        }
        while (true) {
            Thread.sleep(1000);
            System.err.println(failed.size() + " orders failed");
        }
    }

    /** A cache client on commons-pool2, without tests while idle. */
    static void commonsPool(int most) throws Exception {
        GenericObjectPool<Socket> pool = new GenericObjectPool<>(new BasePooledObjectFactory<Socket>() {
            @Override
            public Socket create() throws Exception {
                return new Socket(InetAddress.getLoopbackAddress(), 9000);
            }

            @Override
            public PooledObject<Socket> wrap(Socket socket) {
                return new DefaultPooledObject<>(socket);
            }
        });
        pool.setMaxTotal(most);
        pool.setMaxIdle(most);
        List<Socket> borrowed = new ArrayList<>();
        for (int i = 0; i < most; i++) borrowed.add(pool.borrowObject());
        for (Socket socket : borrowed) ask(socket);
        for (Socket socket : borrowed) pool.returnObject(socket);
        while (true) {
            Socket one = pool.borrowObject();
            ask(one);
            pool.returnObject(one);
            Thread.sleep(100);
        }
    }

    static void ask(Socket socket) throws Exception {
        socket.getOutputStream().write("GET /cart HTTP/1.1\r\nHost: cache\r\n\r\n".getBytes(StandardCharsets.US_ASCII));
        InputStream in = socket.getInputStream();
        if (in.read(new byte[65536]) < 0) throw new IllegalStateException("the cache has closed");
    }
}
