package io.idefics.config;

import io.idefics.model.IdeficsModel;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.springframework.boot.context.event.ApplicationEnvironmentPreparedEvent;
import org.springframework.context.ApplicationListener;

/** Loads libtorch while Spring makes the beans; an engine that needs it sooner waits for it. */
class LibraryLoader implements ApplicationListener<ApplicationEnvironmentPreparedEvent> {

    private static final Logger log = LoggerFactory.getLogger(LibraryLoader.class);

    @Override
    public void onApplicationEvent(ApplicationEnvironmentPreparedEvent event) {
        Thread thread = new Thread(LibraryLoader::load, "library-loader");
        thread.setDaemon(true);
        thread.start();
    }

    private static void load() {
        try {
            IdeficsModel.loadLibrary();
        } catch (RuntimeException | LinkageError e) {
            // The engines meet the same failure and report it.
            log.debug("libtorch cannot be loaded", e);
        }
    }
}
