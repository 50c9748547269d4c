package io.idefics.engine;

/** How far a replica, or a pool of them, is. */
public enum ReplicaState {
    /** It is loaded for the first time. */
    LOADING,
    /** It takes sequences. */
    READY,
    /** It was ready and is not now: its step hangs, or it failed and comes back. */
    RESTARTING,
    /** It stays out. */
    FAILED
}
