package io.idefics.web.tgi;

import io.idefics.generation.GenerationRequest;

/**
 * A decoded and validated request for text.
 *
 * @param generation what to generate; where tokens are drawn it has a seed, whether the client gave one or not
 * @param inputs the prompt as it was written
 * @param fullText whether the text of the answer begins with the prompt
 * @param details whether more than the text is told
 */
record GenerateRequest(GenerationRequest generation, String inputs, boolean fullText, boolean details) {}
