/** Health and meters. */
@NullMarked
package io.idefics.observability;

import org.jspecify.annotations.NullMarked;
