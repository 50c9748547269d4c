/** The bench command: loads a server and reports how it behaves. */
@NullMarked
package io.idefics.bench;

import org.jspecify.annotations.NullMarked;
