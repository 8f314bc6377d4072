package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/dialplane/dialplane/shared/table"
	"github.com/dialplane/dialplane/sip-edge/internal/digest"
)

// config is what the environment says. Besides it the AWS SDK reads its own
// variables: AWS_REGION, AWS_ENDPOINT_URL, credentials.
type config struct {
	// SIP_ADDR is the address for SIP by UDP and TCP, as IP:port; an empty
	// host means all. Port 0 takes a free one. Default 0.0.0.0:5060.
	sipAddr netip.AddrPort
	// SIP_ADVERTISED_ADDR is the host:port that phones know the edge by: it
	// stands in Via and Contact of what the edge sends. Default: the local
	// address that packets to the phone leave from.
	advertised string
	// HEALTH_ADDR is the address of /healthz and /readyz by HTTP. Default
	// 127.0.0.1:8080.
	healthAddr string
	// CORE_TABLE and REGISTRATIONS_TABLE name the DynamoDB tables. Required.
	coreTable, registrationsTable string
	// SIP_DIGEST_ALGORITHMS are the digests that are offered, in that order,
	// with commas between them: MD5, SHA-256. Phones take the first that they
	// know. Default MD5: what comes after MD5 no phone takes, and some, such as
	// baresip before 3.11, give up when they see an algorithm they do not know.
	algorithms []digest.Algorithm
	// SIP_MIN_EXPIRES, SIP_DEFAULT_EXPIRES and SIP_MAX_EXPIRES bound how long a
	// registration lasts, in seconds: shorter ones are refused, longer ones cut;
	// the default is for phones that ask for none. 1 to 86400. Defaults 60,
	// 3600, 7200.
	minExpires, defaultExpires, maxExpires time.Duration
	// NONCE_KEY makes nonces, as at least 32 hex digits. Edges that share it
	// accept each other's. Default: random, so that after a restart each phone
	// is challenged once more.
	nonceKey []byte
	// LOG_LEVEL is debug, info, warn or error. Default info. On debug the log
	// also has what sipgo says.
	logLevel slog.Level
}

// maxExpires bounds every expiry: the store forgets the leases of dead edges
// some time after (package table).
const maxExpires = 24 * time.Hour

// loadConfig reads the environment and reports everything that is wrong with it.
func loadConfig(getenv func(string) string) (config, error) {
	var c config
	var problems []error
	read := func(name, otherwise string, parse func(string) error) {
		value := getenv(name)
		if value == "" {
			value = otherwise
		}
		if err := parse(value); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", name, err)) // without the value: it may be a secret
		}
	}
	read("SIP_ADDR", "0.0.0.0:5060", into(&c.sipAddr, parseListen))
	read("SIP_ADVERTISED_ADDR", "", into(&c.advertised, parseAdvertised))
	read("HEALTH_ADDR", "127.0.0.1:8080", into(&c.healthAddr, parseHostPort))
	read(table.CoreVariable, "", into(&c.coreTable, parseTable))
	read(table.RegistrationsVariable, "", into(&c.registrationsTable, parseTable))
	read("SIP_DIGEST_ALGORITHMS", "MD5", into(&c.algorithms, parseAlgorithms))
	read("SIP_MIN_EXPIRES", "60", into(&c.minExpires, parseSeconds))
	read("SIP_DEFAULT_EXPIRES", "3600", into(&c.defaultExpires, parseSeconds))
	read("SIP_MAX_EXPIRES", "7200", into(&c.maxExpires, parseSeconds))
	read("NONCE_KEY", "", into(&c.nonceKey, parseKey))
	read("LOG_LEVEL", "info", func(s string) error { return c.logLevel.UnmarshalText([]byte(s)) })
	if len(problems) == 0 && (c.minExpires > c.defaultExpires || c.defaultExpires > c.maxExpires) {
		problems = append(problems, errors.New("SIP_DEFAULT_EXPIRES: want it from SIP_MIN_EXPIRES to SIP_MAX_EXPIRES"))
	}
	return c, errors.Join(problems...)
}

// into returns a function that parses a text into target.
func into[T any](target *T, parse func(string) (T, error)) func(string) error {
	return func(text string) (err error) {
		*target, err = parse(text)
		return err
	}
}

func parseListen(text string) (netip.AddrPort, error) {
	if port, ok := strings.CutPrefix(text, ":"); ok {
		text = "[::]:" + port
	}
	addr, err := netip.ParseAddrPort(text)
	if err != nil {
		return addr, errors.New("want IP:port")
	}
	return addr, nil
}

func parseHostPort(text string) (string, error) {
	_, port, err := net.SplitHostPort(text)
	if n, convErr := strconv.Atoi(port); err != nil || convErr != nil || n < 0 || n > 65535 {
		return "", errors.New("want host:port")
	}
	return text, nil
}

func parseAdvertised(text string) (string, error) {
	if text == "" {
		return "", nil
	}
	if _, err := parseHostPort(text); err != nil || strings.HasPrefix(text, ":") || strings.HasSuffix(text, ":0") || strings.ContainsAny(text, " \t\r\n\x00;<>@\"") {
		return "", errors.New("want host:port that phones can reach")
	}
	return text, nil
}

func parseTable(text string) (string, error) {
	if text == "" {
		return "", errors.New("want the name of a DynamoDB table")
	}
	return text, nil
}

func parseAlgorithms(text string) ([]digest.Algorithm, error) {
	var out []digest.Algorithm
	seen := map[digest.Algorithm]bool{}
	for name := range strings.SplitSeq(text, ",") {
		a, err := digest.ParseAlgorithm(strings.TrimSpace(name))
		if err != nil || strings.TrimSpace(name) == "" || seen[a] {
			return nil, errors.New("want MD5, SHA-256 or both, with a comma between them")
		}
		seen[a] = true
		out = append(out, a)
	}
	return out, nil
}

func parseSeconds(text string) (time.Duration, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || time.Duration(n)*time.Second > maxExpires {
		return 0, fmt.Errorf("want whole seconds from 1 to %d", int(maxExpires.Seconds()))
	}
	return time.Duration(n) * time.Second, nil
}

// parseKey reads a key, or makes one.
func parseKey(text string) ([]byte, error) {
	if text == "" {
		key := make([]byte, 32)
		rand.Read(key) // never fails (crypto/rand)
		return key, nil
	}
	key, err := hex.DecodeString(text)
	if err != nil || len(key) < 16 {
		return nil, errors.New("want at least 32 hex digits")
	}
	return key, nil
}
