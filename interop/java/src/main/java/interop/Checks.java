package interop;

import com.nimbusds.oauth2.sdk.auth.Secret;
import com.nimbusds.oauth2.sdk.id.ClientID;
import com.nimbusds.oauth2.sdk.util.JSONObjectUtils;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.Objects;
import java.util.concurrent.Callable;
import net.minidev.json.JSONObject;

/** Checks that print one line each, and the environment that the runner sets. */
final class Checks {
    static final String ISSUER = System.getenv("ISSUER");
    private static boolean hasFailed = false;

    private Checks() {}

    /** One registered client, as the runner passes it on. */
    record Client(ClientID id, Secret secret, URI redirectUri) {}

    /** A check failed; those that would build on it make no sense any more. */
    private static final class Stopped extends RuntimeException {
        private static final long serialVersionUID = 1;
    }

    /** What one client goes through. */
    interface Steps {
        void walk() throws Exception;
    }

    static Client client(String name) throws Exception {
        JSONObject client = JSONObjectUtils.getJSONObject(JSONObjectUtils.parse(System.getenv("CLIENTS")), name);
        return new Client(
            new ClientID(JSONObjectUtils.getString(client, "client_id")),
            new Secret(JSONObjectUtils.getString(client, "client_secret")),
            new URI(JSONObjectUtils.getString(client, "redirect_uri")));
    }

    /** Prints {@code ok NAME}, or {@code not ok NAME: why} if the body throws, and then ends the journey. */
    static <T> T check(String name, Callable<T> body) {
        try {
            T value = body.call();
            System.out.println("ok " + name);
            return value;
        } catch (Exception | AssertionError why) {
            hasFailed = true;
            why.printStackTrace();
            System.out.println("not ok " + name + ": " + why.toString().replaceAll("\\s+", " "));
            throw new Stopped();
        }
    }

    static void journey(Steps steps) throws Exception {
        try {
            steps.walk();
        } catch (Stopped stopped) {
            // Its check has already said why.
        }
    }

    static void finish() {
        System.exit(hasFailed ? 1 : 0);
    }

    static void equal(Object actual, Object expected, String what) {
        if (!Objects.equals(actual, expected)) {
            throw new AssertionError(what + " is " + actual + ", expected " + expected);
        }
    }

    /** Sends the person through the pages; returns the address that leads back to the application. */
    static URI person(URI url) throws Exception {
        Process process = new ProcessBuilder(System.getenv("PERSON"), url.toString())
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
        String landed = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).trim();
        equal(process.waitFor(), 0, "the exit code of the person");
        return new URI(landed);
    }
}
