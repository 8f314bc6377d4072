//go:build !unix

package dynamodblocal

import "context"

// lockFile takes no lock here: two processes may then fetch at once, and the
// first to rename its directory wins.
func lockFile(context.Context, string) (func(), error) { return func() {}, nil }
