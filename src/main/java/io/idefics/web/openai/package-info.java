/** Wire format of the OpenAI-style endpoints. */
@NullMarked
package io.idefics.web.openai;

import org.jspecify.annotations.NullMarked;
