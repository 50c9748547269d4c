/** Runs sequences of token ids on a model; knows no text. */
@NullMarked
package io.idefics.engine;

import org.jspecify.annotations.NullMarked;
