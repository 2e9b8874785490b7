// An independent reader of our log: Go's sumdb notes and tlog, which know nothing of this gateway.
// Arguments: the log's folder, the log's verifier key. Reads checkpoint, tiles, entries and proofs.json.
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type proof struct {
	Kind       string // "record" or "tree"
	N, Old     int64
	Root, Leaf tlog.Hash
	Path       []tlog.Hash
}

type folder string

func (f folder) Height() int                         { return 8 }
func (f folder) SaveTiles([]tlog.Tile, [][]byte)     {}
func (f folder) ReadTiles(t []tlog.Tile) (d [][]byte, err error) {
	for _, tile := range t {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		b, err := os.ReadFile(filepath.Join(string(f), path))
		if err != nil {
			return nil, err
		}
		d = append(d, b)
	}
	return d, nil
}

func must(err error) {
	if err != nil {
		fmt.Println("REFUSED:", err)
		os.Exit(1)
	}
}

func main() {
	dir := folder(os.Args[1])
	verifier, err := note.NewVerifier(os.Args[2])
	must(err)
	raw, err := os.ReadFile(filepath.Join(os.Args[1], "checkpoint"))
	must(err)
	opened, err := note.Open(raw, note.VerifierList(verifier))
	must(err)
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	must(err)
	rootBytes, err := base64.StdEncoding.DecodeString(lines[2])
	must(err)
	var root tlog.Hash
	copy(root[:], rootBytes)
	reader := tlog.TileHashReader(tlog.Tree{N: size, Hash: root}, dir)

	data, err := os.ReadFile(filepath.Join(os.Args[1], "proofs.json"))
	must(err)
	var proofs []proof
	must(json.Unmarshal(data, &proofs))
	for _, p := range proofs {
		if p.Kind == "record" {
			must(tlog.CheckRecord(p.Path, size, root, p.N, p.Leaf))
			theirs, err := tlog.ProveRecord(size, p.N, reader)
			must(err)
			same(theirs, p.Path)
		} else {
			must(tlog.CheckTree(p.Path, size, root, p.Old, p.Root))
			theirs, err := tlog.ProveTree(size, p.Old, reader)
			must(err)
			same(theirs, p.Path)
		}
	}
	// every entry hashes to the leaf that the authenticated tiles give
	var n int64
	for tile := int64(0); tile*256 < size; tile++ {
		width := size - tile*256
		if width > 256 {
			width = 256
		}
		path := tlog.Tile{H: 8, L: 0, N: tile, W: int(width)}.Path()
		bundle, err := os.ReadFile(filepath.Join(os.Args[1], strings.Replace(path, "tile/8/0/", "tile/entries/", 1)))
		must(err)
		for len(bundle) > 0 {
			end := 2 + int(bundle[0])<<8 + int(bundle[1])
			leaf, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, n)})
			must(err)
			if tlog.RecordHash(bundle[2:end]) != leaf[0] {
				must(fmt.Errorf("entry %d is not the leaf", n))
			}
			bundle, n = bundle[end:], n+1
		}
	}
	fmt.Printf("verified %d entries, %d proofs, signed by %s\n", n, len(proofs), opened.Sigs[0].Name)
}

func same(a, b []tlog.Hash) {
	if len(a) != len(b) {
		must(fmt.Errorf("proofs of different length: %d and %d", len(a), len(b)))
	}
	for i := range a {
		if a[i] != b[i] {
			must(fmt.Errorf("proofs differ at %d", i))
		}
	}
}
