/** Holds answers to a form: what text may come next, as the tokens that are left. */
@NullMarked
package io.idefics.grammar;

import org.jspecify.annotations.NullMarked;
