/** Tests of what ships the server: the container image and the Helm chart. */
package io.idefics.deployment;
