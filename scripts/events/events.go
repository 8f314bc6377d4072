// Package events plays the sample events in events/ through the real binaries
// of the functions: as they are, and with a valid token and the documents that
// they name. Its test says what each must answer by events/expect.txt, and sees
// to it that the calls which a function makes to DynamoDB are what the template
// permits it, no fewer and no more.
//
// Here are the parts of that which need no binary: the list of samples, and
// the translation of DynamoDB requests into requests for permission.
package events

import (
	"bufio"
	"fmt"
	"io/fs"
	"strings"
)

// Sample is one line of expect.txt.
type Sample struct {
	File     string // below events/, such as "devices/create.taken.json"
	Function string // as folders and logs call it, such as "devices/create"
	// AsIs and Seeded are the answers: an HTTP status, or for a stream
	// function "done" or "again".
	AsIs, Seeded string
}

// Samples reads expect.txt in the given folder.
func Samples(folder fs.FS) ([]Sample, error) {
	file, err := folder.Open("expect.txt")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var samples []Sample
	lines := bufio.NewScanner(file)
	for number := 1; lines.Scan(); number++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		words := strings.Fields(text)
		if len(words) == 0 {
			continue
		}
		if len(words) != 3 || !strings.HasSuffix(words[0], ".json") {
			return nil, fmt.Errorf("expect.txt:%d: want a file and two answers: %q", number, lines.Text())
		}
		name, _, _ := strings.Cut(words[0], ".")
		samples = append(samples, Sample{File: words[0], Function: name, AsIs: words[1], Seeded: words[2]})
	}
	return samples, lines.Err()
}
