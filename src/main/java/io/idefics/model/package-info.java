/** The Java face of the model program; no queue, no HTTP, no threads. */
@NullMarked
package io.idefics.model;

import org.jspecify.annotations.NullMarked;
