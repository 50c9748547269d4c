/** A small program whose packages are named like the rooms of the real one, and which breaks every rule between them. */
package archfixture;
