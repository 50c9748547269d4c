/** Checkpoint directories in the published layout to configuration and named weights. */
@NullMarked
package io.idefics.checkpoint;

import org.jspecify.annotations.NullMarked;
