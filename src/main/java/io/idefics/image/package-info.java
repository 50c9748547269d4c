/** Image references to pixels: fetching, decoding, preprocessing. */
@NullMarked
package io.idefics.image;

import org.jspecify.annotations.NullMarked;
