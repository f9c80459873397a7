import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** Clients of an HTTP service on port 9000 with java.net.http: java Clients CASE. */
public class Clients {
    static final HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();

    static HttpRequest request(String path) {
        return HttpRequest.newBuilder(URI.create("http://127.0.0.1:9000" + path)).build();
    }

    public static void main(String[] args) throws Exception {
        if (args[0].equals("unread")) unread();
        else pooled();
    }

    /** Looks at the status of answers and leaves their bodies where they are. */
    static void unread() throws Exception {
        List<HttpResponse<InputStream>> failed = new ArrayList<>();
        for (int order = 0; order < 40; order++) {
            var answer = client.send(request("/orders/" + order), HttpResponse.BodyHandlers.ofInputStream());
            if (answer.statusCode() != 200) failed.add(answer);
            else answer.body().readAllBytes();
        }
        while (true) {
            Thread.sleep(1000);
            System.err.println(failed.size() + " orders failed");
        }
    }

    /** A busy moment, then a request now and then; the client keeps its idle connections. */
    static void pooled() throws Exception {
        List<CompletableFuture<?>> calls = new ArrayList<>();
        for (int i = 0; i < 10; i++) calls.add(client.sendAsync(request("/prices"), HttpResponse.BodyHandlers.ofString()));
        for (CompletableFuture<?> call : calls) call.get();
        while (true) {
            client.send(request("/prices"), HttpResponse.BodyHandlers.ofString());
            Thread.sleep(100);
        }
    }
}
