package io.idefics.generation;

/**
 * Who asks.
 *
 * @param name clients take turns by their names when there is not room for all; empty where nobody knows
 * @param priority whose turn comes first
 * @param account what the work is taken from
 */
public record Client(String name, Priority priority, Account account) {

    /** Nobody in particular, without limits. */
    public static final Client NOBODY = new Client("", Priority.NORMAL, Account.UNLIMITED);
}
