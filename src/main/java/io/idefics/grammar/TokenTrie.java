package io.idefics.grammar;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The tokens of a vocabulary as a trie of their bytes. Immutable.
 *
 * <p>Nodes are numbered in preorder: the root is 0, and the nodes below node n are n + 1 to {@code end(n)} - 1.
 */
final class TokenTrie {

    private static final int BYTES = 256;

    private final byte[] labels;
    private final short[] depths;
    private final int[] ends;
    /** The ids of the tokens that end at node n are {@code ids[firstId[n]]} up to {@code ids[firstId[n + 1]]}. */
    private final int[] firstId;

    private final int[] ids;
    private final int size;
    private final int longest;

    /**
     * Builds the trie.
     *
     * @param pieces the bytes of each token by id; null or nothing for tokens that may never come
     * @throws IllegalArgumentException if a byte is no token by itself, without which some texts could not be completed
     */
    TokenTrie(List<byte @Nullable []> pieces) {
        record Token(byte[] bytes, int id) {}
        List<Token> tokens = new ArrayList<>();
        for (int id = 0; id < pieces.size(); id++) {
            byte[] bytes = pieces.get(id);
            if (bytes != null && bytes.length > 0) {
                tokens.add(new Token(bytes, id));
            }
        }
        tokens.sort((a, b) -> Arrays.compareUnsigned(a.bytes(), b.bytes()));
        this.size = pieces.size();
        this.longest =
                tokens.stream().mapToInt(token -> token.bytes().length).max().orElse(0);
        int most = 1 + tokens.stream().mapToInt(token -> token.bytes().length).sum();
        byte[] labels = new byte[most];
        short[] depths = new short[most];
        int[] firstId = new int[most + 1];
        this.ids = new int[tokens.size()];
        byte[] previous = {};
        int count = 1;
        for (int i = 0; i < tokens.size(); i++) {
            byte[] bytes = tokens.get(i).bytes();
            int shared = Arrays.mismatch(previous, bytes);
            for (int at = shared < 0 ? bytes.length : shared; at < bytes.length; at++) {
                labels[count] = bytes[at];
                depths[count] = (short) (at + 1);
                firstId[count++] = i;
            }
            ids[i] = tokens.get(i).id();
            firstId[count] = i + 1;
            previous = bytes;
        }
        this.labels = Arrays.copyOf(labels, count);
        this.depths = Arrays.copyOf(depths, count);
        this.firstId = Arrays.copyOf(firstId, count + 1);
        this.ends = ends(this.depths);
        for (int value = 0; value < BYTES; value++) {
            int node = child(0, value);
            if (node < 0 || idCount(node) == 0) {
                throw new IllegalArgumentException(
                        "The vocabulary has no token for the byte " + value + ", so not every text can be written");
            }
        }
    }

    private static int[] ends(short[] depths) {
        int[] ends = new int[depths.length];
        int[] open = new int[Short.MAX_VALUE + 1];
        int top = -1;
        for (int node = 0; node <= depths.length; node++) {
            int depth = node == depths.length ? 0 : depths[node];
            while (top >= 0 && (node == depths.length || depths[open[top]] >= depth)) {
                ends[open[top--]] = node;
            }
            if (node < depths.length) {
                open[++top] = node;
            }
        }
        return ends;
    }

    /** The number of nodes. */
    int nodes() {
        return labels.length;
    }

    /** One more than the largest id of a token. */
    int size() {
        return size;
    }

    /** The most bytes of a token. */
    int longest() {
        return longest;
    }

    /** The byte that leads to a node, 0 to 255. */
    int label(int node) {
        return labels[node] & 0xFF;
    }

    /** The number of bytes from the root to a node. */
    int depth(int node) {
        return depths[node];
    }

    /** The number after those of all nodes below a node. */
    int end(int node) {
        return ends[node];
    }

    /** How many tokens end at a node: their bytes are the way from the root. */
    int idCount(int node) {
        return firstId[node + 1] - firstId[node];
    }

    /** The id of the i-th token that ends at a node. */
    int id(int node, int i) {
        return ids[firstId[node] + i];
    }

    /** The node that a byte leads to, or -1. */
    int child(int node, int label) {
        for (int child = node + 1; child < ends[node]; child = ends[child]) {
            if (label(child) == label) {
                return child;
            }
        }
        return -1;
    }

    /**
     * For each position of a text the least number of tokens that its rest can be written with; 0 for its end.
     *
     * @return one number more than the text has bytes
     */
    int[] tokensFrom(byte[] text) {
        int[] least = new int[text.length + 1];
        for (int from = text.length - 1; from >= 0; from--) {
            int best = Integer.MAX_VALUE;
            int node = 0;
            for (int at = from; at < text.length; at++) {
                node = child(node, text[at] & 0xFF);
                if (node < 0) {
                    break;
                }
                if (idCount(node) > 0) {
                    best = Math.min(best, 1 + least[at + 1]);
                }
            }
            least[from] = best;
        }
        return least;
    }
}
