package dynamodb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"portolan/local/clock"
	"portolan/local/disk"
)

// Config is what a Server stands on. A nil Disk keeps the tables in memory.
// NewID gives table ids and the like; it is called with the server's lock held
// and must not call back.
type Config struct {
	Clock   *clock.Clock
	Disk    *disk.Disk
	Region  string
	Account string
	NewID   func() string
	// CreateDelay is how long a table that was created over the wire is CREATING.
	CreateDelay time.Duration
}

// A Server is the embedded DynamoDB. Its zero value is of no use; see New.
//
// One lock orders all writes: an item, a batch's item or a transaction is
// written to disk, then visible, then answered.
type Server struct {
	config Config
	cache  expressionCache

	mu      sync.RWMutex
	tables  map[string]*table
	streams map[string]*stream
	tokens  tokenBook
	// checkpoints are the positions of streams' consumers.
	checkpoints map[string]uint64
	backups     map[string]*backup
	expiry      *time.Timer
	closed      bool
	// sequence is the last sequence number that a stream record was given.
	sequence uint64
	requests atomic.Uint64
}

// New returns a server with the tables that the disk has. Close ends it.
func New(config Config) (*Server, error) {
	if config.Clock == nil || config.NewID == nil {
		return nil, errors.New("dynamodb: a clock and a source of ids are needed")
	}
	s := &Server{
		config:  config,
		tables:  make(map[string]*table),
		streams: make(map[string]*stream),

		checkpoints: make(map[string]uint64),
		backups:     make(map[string]*backup),
	}
	if err := s.load(); err != nil {
		return nil, fmt.Errorf("reading the tables: %w", err)
	}
	s.mu.Lock()
	s.armExpiry()
	s.mu.Unlock()
	return s, nil
}

// Close stops the timers and ends every wait for stream records. The disk is
// its owner's to close.
func (s *Server) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.expiry != nil {
		s.expiry.Stop()
	}
	for _, st := range s.streams {
		st.wake()
	}
}

func (s *Server) now() time.Time { return s.config.Clock.Now() }

// arn is the ARN of a resource of this server.
func (s *Server) arn(resource string) string {
	return "arn:aws:dynamodb:" + s.config.Region + ":" + s.config.Account + ":" + resource
}

// find returns a table by its name or ARN, whatever its state.
func (s *Server) find(name string) *table {
	if strings.HasPrefix(name, arnPrefix) {
		_, name, _ = strings.Cut(name, ":table/")
	}
	return s.tables[name]
}

// active returns a table whose items can be used.
func (s *Server) active(name string) (*table, *apiError) {
	t := s.find(name)
	if t == nil || s.now().Before(t.activeAt) {
		return nil, notFound()
	}
	return t, nil
}

// tableNames are the names of all tables, in order.
func (s *Server) tableNames() []string {
	names := make([]string, 0, len(s.tables))
	for name := range s.tables {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// An operation decodes the members of its request and answers it. The answer
// is appended to out as JSON.
type operation func(s *Server, ctx context.Context, body string, out []byte) ([]byte, *apiError)

var operations = map[string]operation{
	"GetItem":          itemOperation("GetItem", checkGet, (*Server).getItem),
	"PutItem":          itemOperation("PutItem", checkPut, (*Server).putItem),
	"DeleteItem":       itemOperation("DeleteItem", checkDelete, (*Server).deleteItem),
	"UpdateItem":       itemOperation("UpdateItem", checkUpdate, (*Server).updateItem),
	"Query":            itemOperation("Query", checkQuery, (*Server).query),
	"Scan":             itemOperation("Scan", checkScan, (*Server).scan),
	"BatchGetItem":     itemOperation("BatchGetItem", checkBatchGet, (*Server).batchGet),
	"BatchWriteItem":   itemOperation("BatchWriteItem", checkBatchWrite, (*Server).batchWrite),
	"TransactGetItems": itemOperation("TransactGetItems", checkTransactGet, (*Server).transactGet),
	"TransactWriteItems": itemOperation("TransactWriteItems", checkTransactWrite,
		(*Server).transactWrite),

	"CreateTable":               tableOperation((*Server).createTable),
	"DescribeTable":             tableOperation((*Server).describeTable),
	"ListTables":                tableOperation((*Server).listTables),
	"DeleteTable":               tableOperation((*Server).deleteTable),
	"UpdateTable":               tableOperation((*Server).updateTable),
	"UpdateTimeToLive":          tableOperation((*Server).updateTimeToLive),
	"DescribeTimeToLive":        tableOperation((*Server).describeTimeToLive),
	"UpdateContinuousBackups":   tableOperation((*Server).updateBackups),
	"DescribeContinuousBackups": tableOperation((*Server).describeBackups),
	"CreateBackup":              tableOperation((*Server).createBackup),
	"DescribeBackup":            tableOperation((*Server).describeBackup),
	"ListBackups":               tableOperation((*Server).listBackups),
	"DeleteBackup":              tableOperation((*Server).deleteBackup),
	"RestoreTableFromBackup":    tableOperation((*Server).restoreBackup),
	"TagResource":               tableOperation((*Server).tagResource),
	"UntagResource":             tableOperation((*Server).untagResource),
	"ListTagsOfResource":        tableOperation((*Server).listTags),
	"DescribeLimits":            tableOperation((*Server).describeLimits),
	"DescribeEndpoints":         tableOperation((*Server).describeEndpoints),
}

var streamOperations = map[string]operation{
	"ListStreams":      tableOperation((*Server).listStreams),
	"DescribeStream":   tableOperation((*Server).describeStream),
	"GetShardIterator": tableOperation((*Server).getShardIterator),
	"GetRecords":       tableOperation((*Server).getRecords),
}

// itemOperation is an operation on items: decoded, then checked as far as it
// can be without a table, then done.
func itemOperation(name string, check func(*Server, *request) *apiError,
	do func(*Server, *request, []byte) ([]byte, *apiError)) operation {
	return func(s *Server, _ context.Context, body string, out []byte) ([]byte, *apiError) {
		return s.itemRequest(name, body, out, check, do)
	}
}
