package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
)

// client is one registered client, as the runner passes it on.
type client struct {
	ID          string `json:"client_id"`
	Secret      string `json:"client_secret"`
	RedirectURI string `json:"redirect_uri"`
}

var (
	issuer  = os.Getenv("ISSUER")
	clients = readClients()
	failed  = false
)

func readClients() map[string]client {
	read := map[string]client{}
	if err := json.Unmarshal([]byte(os.Getenv("CLIENTS")), &read); err != nil {
		panic(err)
	}
	return read
}

// stopped ends a journey whose later checks would build on a failed one.
type stopped struct{}

// check prints `ok NAME`, or `not ok NAME: why` and ends the journey.
func check(name string, body func() error) {
	if err := body(); err != nil {
		failed = true
		fmt.Printf("not ok %s: %s\n", name, strings.Join(strings.Fields(err.Error()), " "))
		panic(stopped{})
	}
	fmt.Println("ok", name)
}

func journey(steps func()) {
	defer func() {
		if why := recover(); why != nil && why != (stopped{}) {
			panic(why)
		}
	}()
	steps()
}

func finish() {
	if failed {
		os.Exit(1)
	}
}

func equal[T comparable](actual, expected T) error {
	if actual != expected {
		return fmt.Errorf("it is %v, expected %v", actual, expected)
	}
	return nil
}

// person sends the person through the pages; returns the parameters of the address that leads back.
func person(address string) (url.Values, error) {
	command := exec.Command(os.Getenv("PERSON"), address)
	command.Stderr = os.Stderr
	landed, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("the person: %w", err)
	}
	back, err := url.Parse(strings.TrimSpace(string(landed)))
	if err != nil {
		return nil, err
	}
	return back.Query(), nil
}

// userinfo asks with whatever token the HTTP client carries.
func userinfo(with *http.Client) (int, map[string]any, error) {
	answer, err := with.Get(issuer + "/oauth/userinfo")
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	claims := map[string]any{}
	if answer.StatusCode != http.StatusOK {
		return answer.StatusCode, nil, nil
	}
	return answer.StatusCode, claims, json.NewDecoder(answer.Body).Decode(&claims)
}

func expectPerson(with *http.Client) error {
	status, claims, err := userinfo(with)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("userinfo answered %d", status)
	}
	for _, member := range []string{"sub", "name", "preferred_username", "email", "email_verified"} {
		if _, is := claims[member]; !is {
			return fmt.Errorf("userinfo lacks %s", member)
		}
	}
	return equal(claims["preferred_username"], any(os.Getenv("PERSON_USERNAME")))
}

// post sends a form for what the library has no call for: revocation and introspection.
func post(from client, isBasic bool, path string, body url.Values) (*http.Response, error) {
	if !isBasic {
		body.Set("client_id", from.ID)
		if from.Secret != "" {
			body.Set("client_secret", from.Secret)
		}
	}
	request, err := http.NewRequest(http.MethodPost, issuer+path, strings.NewReader(body.Encode()))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if isBasic {
		request.SetBasicAuth(url.QueryEscape(from.ID), url.QueryEscape(from.Secret))
	}
	return http.DefaultClient.Do(request)
}
