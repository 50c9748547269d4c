/** Wire format of Anthropic's Messages API. */
@NullMarked
package io.idefics.web.anthropic;

import org.jspecify.annotations.NullMarked;
