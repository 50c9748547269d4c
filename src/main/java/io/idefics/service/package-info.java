/** The life of a completion request, from messages to text. */
@NullMarked
package io.idefics.service;

import org.jspecify.annotations.NullMarked;
