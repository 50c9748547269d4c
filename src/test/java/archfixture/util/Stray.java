package archfixture.util;

/** Breaks the rules that every class has a room, and that nothing writes to the standard streams. */
public class Stray {

    void speak() {
        System.out.println("stray");
    }
}
