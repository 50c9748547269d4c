/** The vocabulary that every layer shares: requests, events and errors of text generation. */
@NullMarked
package io.idefics.generation;

import org.jspecify.annotations.NullMarked;
