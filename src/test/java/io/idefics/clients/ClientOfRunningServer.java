package io.idefics.clients;

import io.idefics.RunningServer;
import io.idefics.admission.Permit;
import io.idefics.generation.Priority;
import java.util.ArrayList;
import java.util.List;

/** The contract with the server that other tests share. */
abstract class ClientOfRunningServer extends RunningServer implements ClientContract {

    @Override
    public Server server() {
        return new Server() {
            @Override
            public String url() {
                return "http://localhost:" + port;
            }

            @Override
            public String pictureUrl(String path) {
                return IMAGE_HOST.url(path);
            }

            @Override
            public Hold fill() {
                List<Permit> permits = new ArrayList<>();
                while (limiter.available() > 0) {
                    permits.add(limiter.acquire(Priority.NORMAL));
                }
                return () -> permits.forEach(Permit::close);
            }

            @Override
            public void awaitIdle() {
                ClientOfRunningServer.this.awaitIdle(PATIENCE);
            }
        };
    }
}
