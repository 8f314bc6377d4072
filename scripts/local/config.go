package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Config says what to run and where. The zero value is not usable; configFrom
// fills in the defaults.
type Config struct {
	// Root is the folder of template.yaml and go.mod.
	Root string
	// APIAddr is where the API listens, host:port; port 0 takes a free one.
	// API_ADDR, default 127.0.0.1:8000.
	APIAddr string
	// SIPAddr is where the edge listens, UDP and TCP; port 0 takes a free one.
	// SIP_ADDR, default 0.0.0.0:5060.
	SIPAddr string
	// HealthAddr is where the edge answers health checks. HEALTH_ADDR, default
	// a free port of 127.0.0.1.
	HealthAddr string
	// DynamoDBAddr names the port of DynamoDB Local, which listens on all
	// interfaces whatever the host part says. DYNAMODB_ADDR, default a free
	// port. Where DYNAMODB_ENDPOINT names a running server none is started.
	DynamoDBAddr string
	// StateDir keeps everything that survives a restart: the tables' data, how
	// far streams were read, the demo account's credentials. STATE_DIR,
	// default .local.
	StateDir string
	// BuildDir takes the built binaries. Default .build/local under Root.
	BuildDir string
	// ToolsDir is where DynamoDB Local is fetched to. Default .tools under Root.
	ToolsDir string
	// TablePrefix starts the name of each table, so that several systems can
	// share a server. Default "dialplane-".
	TablePrefix string
	// JSONLogs makes every log line a JSON object. LOG_FORMAT is json or text;
	// default text on a terminal, else json.
	JSONLogs bool
	// Color paints names and levels: on a terminal, unless NO_COLOR is set.
	Color bool
	// LogLevel is the functions' and the edge's. LOG_LEVEL, default info.
	LogLevel string
	// Edge holds further settings of the edge, which are handed on as they
	// are: those of edgeVariables that the environment has.
	Edge []string
	// Ready, if not nil, is called once when everything runs.
	Ready func(Info)
	// Kill, if not nil, ends every wait for children in good order when it is
	// closed: they are killed.
	Kill <-chan struct{}
	// seed makes the demo account; nil takes the one of demo.go.
	seed seedFunc
}

// Info says what runs where.
type Info struct {
	APIURL     string // such as http://127.0.0.1:8000/v2
	SIPAddr    string // host:port, UDP and TCP
	HealthAddr string
	DynamoDB   string            // endpoint
	Tables     map[string]string // local name by logical id
	Credentials
}

// edgeVariables are handed on to the edge as they are.
var edgeVariables = []string{"SIP_ADVERTISED_ADDR", "SIP_DIGEST_ALGORITHMS", "SIP_MIN_EXPIRES", "SIP_MAX_EXPIRES", "SIP_DEFAULT_EXPIRES",
	"NONCE_KEY"}

// configFrom reads the settings and reports all that are wrong together.
// terminal says whether the output goes to one.
func configFrom(getenv func(string) string, root string, terminal bool) (Config, error) {
	or := func(name, fallback string) string {
		if value := getenv(name); value != "" {
			return value
		}
		return fallback
	}
	cfg := Config{
		Root:         root,
		APIAddr:      or("API_ADDR", "127.0.0.1:8000"),
		SIPAddr:      or("SIP_ADDR", "0.0.0.0:5060"),
		HealthAddr:   or("HEALTH_ADDR", "127.0.0.1:0"),
		DynamoDBAddr: or("DYNAMODB_ADDR", "127.0.0.1:0"),
		StateDir:     or("STATE_DIR", filepath.Join(root, ".local")),
		LogLevel:     or("LOG_LEVEL", "info"),
		Color:        terminal && getenv("NO_COLOR") == "",
	}
	var problems []error
	for name, addr := range map[string]string{"API_ADDR": cfg.APIAddr, "SIP_ADDR": cfg.SIPAddr, "HEALTH_ADDR": cfg.HealthAddr,
		"DYNAMODB_ADDR": cfg.DynamoDBAddr} {
		if err := checkAddr(addr); err != nil {
			problems = append(problems, fmt.Errorf("%s is %q: %w", name, addr, err))
		}
	}
	switch format := getenv("LOG_FORMAT"); format {
	case "json", "text":
		cfg.JSONLogs = format == "json"
	case "":
		cfg.JSONLogs = !terminal
	default:
		problems = append(problems, fmt.Errorf("LOG_FORMAT is %q: it must be json or text", format))
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, strings.ToLower(cfg.LogLevel)) {
		problems = append(problems, fmt.Errorf("LOG_LEVEL is %q: it must be debug, info, warn or error", cfg.LogLevel))
	}
	for _, name := range edgeVariables {
		if value := getenv(name); value != "" {
			cfg.Edge = append(cfg.Edge, name+"="+value)
		}
	}
	slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return cfg, errors.Join(problems...)
}

func checkAddr(addr string) error {
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return errors.New("it must be host:port, such as 127.0.0.1:8000")
	}
	return nil
}

// fill makes the settings explicit that have a default of their own.
func (c *Config) fill() (err error) {
	if c.BuildDir == "" {
		c.BuildDir = filepath.Join(c.Root, ".build", "local")
	}
	if c.ToolsDir == "" {
		c.ToolsDir = filepath.Join(c.Root, ".tools")
	}
	if c.TablePrefix == "" {
		c.TablePrefix = "dialplane-"
	}
	if c.seed == nil {
		c.seed = seed
	}
	for _, dir := range []*string{&c.Root, &c.StateDir, &c.BuildDir, &c.ToolsDir} {
		if *dir, err = filepath.Abs(*dir); err != nil {
			return fmt.Errorf("make the path absolute: %w", err)
		}
	}
	return nil
}

// findRoot returns the folder of the nearest template.yaml, from dir upwards.
func findRoot(dir string) (string, error) {
	for {
		if _, err := os.Stat(filepath.Join(dir, "template.yaml")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no template.yaml here or above: run this inside the repository")
		}
		dir = parent
	}
}
