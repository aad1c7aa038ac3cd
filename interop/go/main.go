// golang.org/x/oauth2: PKCE, refresh, client_credentials, and the probe of AuthStyleAutoDetect, which tries Basic first
// and then sends the same code again with the secret as a parameter.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

var scopes = []string{"profile", "email", "links:read"}

func config(client client, style oauth2.AuthStyle) *oauth2.Config {
	return &oauth2.Config{
		ClientID:     client.ID,
		ClientSecret: client.Secret,
		RedirectURL:  client.RedirectURI,
		Scopes:       scopes,
		Endpoint: oauth2.Endpoint{
			AuthURL:   issuer + "/oauth/authorize",
			TokenURL:  issuer + "/oauth/token",
			AuthStyle: style,
		},
	}
}

// attempts records how each request to the token endpoint proved who the client is, and how it was answered.
type attempts struct {
	to   string
	by   http.RoundTripper
	seen []string
}

func (a *attempts) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := a.by.RoundTrip(request)
	if err == nil && request.URL.Path == a.to {
		how := "parameters"
		if _, _, isBasic := request.BasicAuth(); isBasic {
			how = "basic"
		}
		a.seen = append(a.seen, fmt.Sprintf("%s %d", how, response.StatusCode))
	}
	return response, err
}

// codeFlow walks one client through everything; `expected` are the attempts that the code exchange must take.
func codeFlow(name string, client client, style oauth2.AuthStyle, expected ...string) {
	conf := config(client, style)
	wire := &attempts{to: "/oauth/token", by: http.DefaultTransport}
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, &http.Client{Transport: wire, Timeout: 10 * time.Second})
	verifier, state := oauth2.GenerateVerifier(), oauth2.GenerateVerifier()
	var code string
	var token *oauth2.Token

	check(name+": the redirect carries the state and the issuer", func() error {
		landed, err := person(conf.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier)))
		if err != nil {
			return err
		}
		code = landed.Get("code")
		return errors.Join(equal(landed.Get("state"), state), equal(landed.Get("iss"), issuer))
	})
	check(name+": the code is exchanged for tokens, by "+strings.Join(expected, ", then "), func() (err error) {
		if token, err = conf.Exchange(ctx, code, oauth2.VerifierOption(verifier)); err != nil {
			return fmt.Errorf("after %v: %w", wire.seen, err)
		}
		return errors.Join(equal(strings.Join(wire.seen, ","), strings.Join(expected, ",")), equal(token.Valid(), true))
	})
	check(name+": userinfo names the person", func() error {
		return expectPerson(conf.Client(ctx, token))
	})
	check(name+": the refresh token is rotated", func() error {
		spent := *token
		spent.Expiry = time.Now().Add(-time.Minute)
		rotated, err := conf.TokenSource(ctx, &spent).Token()
		if err != nil {
			return err
		}
		token = rotated
		return errors.Join(
			equal(rotated.AccessToken != spent.AccessToken, true), equal(rotated.RefreshToken != spent.RefreshToken, true))
	})
	check(name+": userinfo refuses with 401 after the refresh token was revoked", func() error {
		body := url.Values{"token": {token.RefreshToken}, "token_type_hint": {"refresh_token"}}
		isBasic := strings.HasPrefix(expected[len(expected)-1], "basic")
		answer, err := post(client, isBasic, "/oauth/revoke", body)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		status, _, err := userinfo(oauth2.NewClient(ctx, oauth2.StaticTokenSource(token)))
		return errors.Join(err, equal(answer.StatusCode, http.StatusOK), equal(status, http.StatusUnauthorized))
	})
}

func machine(name string, client client) {
	check(name+": client_credentials gives a token that introspection knows", func() error {
		conf := clientcredentials.Config{
			ClientID: client.ID, ClientSecret: client.Secret, TokenURL: issuer + "/oauth/token", Scopes: []string{"links:read"},
		}
		token, err := conf.Token(context.Background())
		if err != nil {
			return err
		}
		answer, err := post(client, true, "/oauth/introspect", url.Values{"token": {token.AccessToken}})
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		var said struct {
			Active bool
			Scope  string
		}
		err = json.NewDecoder(answer.Body).Decode(&said)
		return errors.Join(err, equal(token.RefreshToken, ""), equal(said.Active, true), equal(said.Scope, "links:read"))
	})
}

// brokenExchange: a wrong verifier is an error that the library can read, not just a status.
func brokenExchange(name string, client client) {
	check(name+": a wrong code_verifier is invalid_grant", func() error {
		conf := config(client, oauth2.AuthStyleInParams)
		landed, err := person(conf.AuthCodeURL("s", oauth2.S256ChallengeOption(oauth2.GenerateVerifier())))
		if err != nil {
			return err
		}
		_, err = conf.Exchange(context.Background(), landed.Get("code"), oauth2.VerifierOption(oauth2.GenerateVerifier()))
		var refused *oauth2.RetrieveError
		if !errors.As(err, &refused) {
			return fmt.Errorf("not refused: %w", err)
		}
		return errors.Join(equal(refused.ErrorCode, "invalid_grant"), equal(refused.Response.StatusCode, http.StatusBadRequest))
	})
}

// Without a word: the standard dialect. With `surfaces`: the others that the library reaches.
func main() {
	if len(os.Args) > 1 && os.Args[1] == "surfaces" {
		surfaces()
	} else {
		standard()
	}
	finish()
}

func standard() {
	public, post, basic := clients["public"], clients["post"], clients["basic"]
	journey(func() { codeFlow("x/oauth2 public", public, oauth2.AuthStyleInParams, "parameters 200") })
	journey(func() { codeFlow("x/oauth2 basic", basic, oauth2.AuthStyleInHeader, "basic 200") })
	journey(func() { codeFlow("x/oauth2 basic, detected", basic, oauth2.AuthStyleAutoDetect, "basic 200") })
	// The code must survive the refused first attempt: the client is authenticated before the code is touched.
	journey(func() {
		codeFlow("x/oauth2 post, detected", post, oauth2.AuthStyleAutoDetect, "basic 401", "parameters 200")
	})
	journey(func() { brokenExchange("x/oauth2 public", public) })
	journey(func() { machine("x/oauth2 machine", clients["machine"]) })
}
