/** The HTTP face of the service: routes, errors, request ids, server-sent events. */
@NullMarked
package io.idefics.web;

import org.jspecify.annotations.NullMarked;
