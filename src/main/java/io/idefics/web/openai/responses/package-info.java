/** Wire format of OpenAI's Responses API. */
@NullMarked
package io.idefics.web.openai.responses;

import org.jspecify.annotations.NullMarked;
