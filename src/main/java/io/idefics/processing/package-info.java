/** Conversations to model input, as the reference processor does it. */
@NullMarked
package io.idefics.processing;

import org.jspecify.annotations.NullMarked;
