package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/oauth2"
)

// surface is one of those that x/oauth2 reaches as it is. It learns by trying whether the secret goes into a header.
type surface struct {
	name, authorize, token, api string
	// How the exchange proves who the client is, request by request.
	attempts string
	// The words of the surface for a code that is spent.
	spent string
	// The member of the API's answer that names the person, and the environment's name for it.
	member, person string
	isRefreshing   bool
}

var surfaceList = []surface{
	{
		name: "php-endpoints", authorize: "/api/authorize.php", token: "/api/token.php", api: "/api/userinfo.php",
		// The first has no client_id in its body: Basic is not read there. The code outlives it.
		attempts: "basic 400,parameters 200", spent: "invalid_code", member: "full_name", person: "PERSON_NAME",
	},
	{
		name: "paced", authorize: "/oauth/authorize", token: "/oauth/token", api: "/api/v1/me",
		attempts: "basic 200", spent: "invalid_grant", member: "email", person: "PERSON_EMAIL", isRefreshing: true,
	},
}

// loopback dials this machine for names below localhost, as RFC 6761 section 6.3 asks of resolvers; Go's asks the system,
// which may not know them.
func loopback(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err == nil && strings.HasSuffix(host, ".localhost") {
		address = net.JoinHostPort("127.0.0.1", port)
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}

func readSurfaces() map[string]string {
	read := map[string]string{}
	if err := json.Unmarshal([]byte(os.Getenv("SURFACES")), &read); err != nil {
		panic(err)
	}
	return read
}

func (s surface) walk(base string, client client) {
	name := "x/oauth2 " + s.name
	wire := &attempts{to: s.token, by: &http.Transport{DialContext: loopback}}
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, &http.Client{Transport: wire, Timeout: 10 * time.Second})
	conf := &oauth2.Config{
		ClientID: client.ID, ClientSecret: client.Secret, RedirectURL: client.RedirectURI,
		Endpoint: oauth2.Endpoint{AuthURL: base + s.authorize, TokenURL: base + s.token},
	}
	state := oauth2.GenerateVerifier()
	var code string
	var token *oauth2.Token

	check(name+": the redirect carries a code and the state", func() error {
		landed, err := person(conf.AuthCodeURL(state))
		if err != nil {
			return err
		}
		code = landed.Get("code")
		return errors.Join(equal(landed.Get("state"), state), equal(len(landed), 2))
	})
	check(name+": the code is exchanged, by "+s.attempts, func() (err error) {
		if token, err = conf.Exchange(ctx, code); err != nil {
			return fmt.Errorf("after %v: %w", wire.seen, err)
		}
		return errors.Join(equal(strings.Join(wire.seen, ","), s.attempts), equal(token.Type(), "Bearer"))
	})
	check(name+": the API names the person", func() error { return s.names(conf.Client(ctx, token), base) })
	if s.isRefreshing {
		check(name+": a refresh keeps the refresh token", func() error {
			spent := *token
			spent.Expiry = time.Now().Add(-time.Minute)
			renewed, err := conf.TokenSource(ctx, &spent).Token()
			if err != nil {
				return err
			}
			return errors.Join(
				equal(renewed.AccessToken != token.AccessToken, true), equal(renewed.RefreshToken, token.RefreshToken),
				s.names(conf.Client(ctx, renewed), base))
		})
	}
	check(name+": a code that is sent again is "+s.spent, func() error {
		_, err := conf.Exchange(ctx, code)
		var refused *oauth2.RetrieveError
		if !errors.As(err, &refused) {
			return fmt.Errorf("not refused: %w", err)
		}
		return errors.Join(equal(refused.ErrorCode, s.spent), equal(refused.Response.StatusCode, http.StatusBadRequest))
	})
}

// names asks the API with whatever token the HTTP client carries.
func (s surface) names(with *http.Client, base string) error {
	answer, err := with.Get(base + s.api)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	said := map[string]any{}
	if err := json.NewDecoder(answer.Body).Decode(&said); err != nil {
		return err
	}
	return errors.Join(equal(answer.StatusCode, http.StatusOK), equal(said[s.member], any(os.Getenv(s.person))))
}

// wrongSecret: the refusal is an error that the library can read.
func (s surface) wrongSecret(base string, client client) {
	check("x/oauth2 "+s.name+": a wrong secret is invalid_client", func() error {
		conf := &oauth2.Config{
			ClientID: client.ID, ClientSecret: "wrong", RedirectURL: client.RedirectURI,
			Endpoint: oauth2.Endpoint{TokenURL: base + s.token, AuthStyle: oauth2.AuthStyleInParams},
		}
		transport := &http.Transport{DialContext: loopback}
		ctx := context.WithValue(context.Background(), oauth2.HTTPClient, &http.Client{Transport: transport})
		_, err := conf.Exchange(ctx, "never given")
		var refused *oauth2.RetrieveError
		if !errors.As(err, &refused) {
			return fmt.Errorf("not refused: %w", err)
		}
		return errors.Join(equal(refused.ErrorCode, "invalid_client"), equal(refused.Response.StatusCode, http.StatusUnauthorized))
	})
}

func surfaces() {
	bases := readSurfaces()
	for _, each := range surfaceList {
		journey(func() { each.walk(bases[each.name], clients[each.name]) })
		journey(func() { each.wrongSecret(bases[each.name], clients[each.name]) })
	}
}
