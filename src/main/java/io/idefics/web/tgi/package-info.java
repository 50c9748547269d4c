/** The endpoints of text-generation-inference, for the tools that were written for it. */
@NullMarked
package io.idefics.web.tgi;

import org.jspecify.annotations.NullMarked;
