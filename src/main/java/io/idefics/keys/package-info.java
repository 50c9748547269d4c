/** The command that makes API keys. */
@NullMarked
package io.idefics.keys;

import org.jspecify.annotations.NullMarked;
