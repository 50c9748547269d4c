package io.idefics.image;

/** Looks into a fetcher from tests in other packages. */
public final class FetcherProbe {

    private FetcherProbe() {}

    /** Fetches that may begin at once. */
    public static int freeSlots(ImageFetcher fetcher) {
        return fetcher.freeSlots();
    }

    /** Hosts that fetches are running or waiting for. */
    public static int hostsInUse(ImageFetcher fetcher) {
        return fetcher.hostsInUse();
    }

    /** Lets hosts that have failed be asked again at once. */
    public static void forgetFailures(ImageFetcher fetcher) {
        fetcher.forgetFailures();
    }
}
