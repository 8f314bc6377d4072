package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// What the state directory holds.
const (
	credentialsName = "credentials.json"
	deadLettersName = "dead-letters.jsonl"
	streamsName     = "streams"  // how far each mapping has read
	dynamoDBName    = "dynamodb" // the tables' data
	lockName        = "lock"
)

// lockState makes the state directory and keeps it for this run; the returned
// file ends that when it is closed.
func lockState(dir string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Join(dir, streamsName), 0o755); err != nil {
		return nil, fmt.Errorf("make the state directory: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock the state directory: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		err = fmt.Errorf("lock %s: %w", file.Name(), err)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = fmt.Errorf("%s is in use by another run: stop that, or set STATE_DIR to another directory", dir)
		}
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// loadCredentials returns the credentials that an earlier run has left, zero
// before the first.
func loadCredentials(dir string) (Credentials, error) {
	path := filepath.Join(dir, credentialsName)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Credentials{}, nil
	}
	if err != nil {
		return Credentials{}, err
	}
	var c Credentials
	if err := json.Unmarshal(data, &c); err != nil {
		return Credentials{}, fmt.Errorf("read %s: %w (delete %s to start anew)", path, err, dir)
	}
	return c, nil
}

// storeCredentials keeps c for the next run and for programs, readable by the
// owner alone.
func storeCredentials(dir string, c Credentials) error {
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(dir, credentialsName), append(data, '\n'), 0o600)
}
