/** Text to token ids and back. */
@NullMarked
package io.idefics.tokenizer;

import org.jspecify.annotations.NullMarked;
