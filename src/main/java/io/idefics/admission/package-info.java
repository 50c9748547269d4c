/** Who may come in, and when. */
@NullMarked
package io.idefics.admission;

import org.jspecify.annotations.NullMarked;
