package main

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/dialplane/dialplane/scripts/template"
)

// The credentials of a local run open nothing; DynamoDB Local wants letters
// and digits.
const (
	localKeyID  = "local"
	localSecret = "local"
)

// functionARN is the ARN that a function is told it has.
func functionARN(name string) string {
	return "arn:aws:lambda:" + localRegion + ":" + localAccount + ":function:" + resourceName(name)
}

// resourceName is a function's name as AWS would allow it.
func resourceName(name string) string { return strings.ReplaceAll(name, "/", "-") }

// localScope is what the template's intrinsic functions find here.
func localScope(tables map[string]localTable, endpoint, logLevel string) template.Scope {
	s := template.Scope{
		Parameters: map[string]string{"AwsEndpointUrl": endpoint, "LogLevel": logLevel},
		Refs:       map[string]string{}, Attributes: map[string]string{}, Region: localRegion, AccountID: localAccount,
	}
	for id, t := range tables {
		s.Refs[id] = t.name
		s.Attributes[id+".Arn"] = "arn:aws:dynamodb:" + localRegion + ":" + localAccount + ":table/" + t.name
		s.Attributes[id+".StreamArn"] = t.streamARN
	}
	return s
}

// baseEnvironment is what every child has of this machine and of AWS: no more
// than Lambda and ECS give.
func baseEnvironment(endpoint string) map[string]string {
	return map[string]string{
		"PATH": os.Getenv("PATH"), "HOME": os.Getenv("HOME"), "TMPDIR": os.TempDir(), "TZ": ":UTC",
		"AWS_REGION": localRegion, "AWS_DEFAULT_REGION": localRegion,
		"AWS_ACCESS_KEY_ID": localKeyID, "AWS_SECRET_ACCESS_KEY": localSecret,
		"AWS_ENDPOINT_URL": endpoint, "AWS_EC2_METADATA_DISABLED": "true",
		// What the machine's owner has set up for AWS is not for a local run.
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
	}
}

// functionEnvironment is the environment of a function's process ("Defined
// runtime environment variables" in the Lambda developer guide).
func functionEnvironment(t *template.Template, f template.Function, s template.Scope, endpoint string) ([]string, error) {
	env := baseEnvironment(endpoint)
	for name, value := range f.Environment {
		resolved, err := t.Resolve(value, s)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", f.ID, name, err)
		}
		env[name] = resolved
	}
	maps.Copy(env, map[string]string{
		"_HANDLER": f.Handler, "AWS_EXECUTION_ENV": "AWS_Lambda_" + f.Runtime,
		"AWS_LAMBDA_FUNCTION_NAME": resourceName(f.Name()), "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": strconv.Itoa(f.MemorySize), "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
		"AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/" + resourceName(f.Name()), "AWS_LAMBDA_LOG_STREAM_NAME": "local",
	})
	return flatten(env), nil
}

func flatten(env map[string]string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		out = append(out, name+"="+env[name])
	}
	return out
}
