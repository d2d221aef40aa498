package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// clients is how many connections load a server at once.
const clients = 8

// A call is one operation with a body for each of a number of items.
type call struct {
	name, operation, body string
}

const tableText = `{"TableName":"measured","BillingMode":"PAY_PER_REQUEST",
	"AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"},{"AttributeName":"sk","AttributeType":"S"}],
	"KeySchema":[{"AttributeName":"pk","KeyType":"HASH"},{"AttributeName":"sk","KeyType":"RANGE"}]}`

// calls are of the kinds that the control plane makes. %d is the item's number.
var calls = []call{
	{"put", "PutItem", `{"TableName":"measured","Item":{"pk":{"S":"cluster#%d"},"sk":{"S":"service"},"state":{"S":"ready"},
		"version":{"N":"1"},"tags":{"SS":["one","two","three"]},
		"spec":{"M":{"image":{"S":"registry.example/wildfly@sha256:1234"},"replicas":{"N":"4"}}}}}`},
	{"get", "GetItem", `{"TableName":"measured","Key":{"pk":{"S":"cluster#%d"},"sk":{"S":"service"}},"ConsistentRead":true}`},
	{"update", "UpdateItem", `{"TableName":"measured","Key":{"pk":{"S":"cluster#%d"},"sk":{"S":"service"}},
		"UpdateExpression":"SET #v = #v + :one, seen = :seen","ConditionExpression":"attribute_exists(pk) AND #v < :top",
		"ExpressionAttributeNames":{"#v":"version"},
		"ExpressionAttributeValues":{":one":{"N":"1"},":top":{"N":"1000000000"},":seen":{"BOOL":true}}}`},
	{"query", "Query", `{"TableName":"measured","KeyConditionExpression":"pk = :pk AND begins_with(sk, :sk)",
		"ExpressionAttributeValues":{":pk":{"S":"cluster#%d"},":sk":{"S":"ser"}}}`},
}

// items is how many items the table has.
const items = 1000

// A server is a process that answers DynamoDB's calls on a port.
type server struct {
	command *exec.Cmd
	address string
}

// startServer starts a process that prints its port, and makes the table there.
func startServer(command *exec.Cmd) (*server, error) {
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, err
	}
	s := &server{command: command}
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("it did not tell its port: %w", err)
	}
	s.address = "127.0.0.1:" + strings.TrimSpace(port)
	if err := s.do("CreateTable", tableText); err != nil {
		s.stop()
		return nil, err
	}
	for began := time.Now(); ; {
		err := s.fill()
		if err == nil {
			return s, nil
		}
		if time.Since(began) > startupTimeout {
			s.stop()
			return nil, err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// fill puts the items that the other calls read.
func (s *server) fill() error {
	c, err := s.connect()
	if err != nil {
		return err
	}
	defer c.conn.Close()
	for i := range items {
		if err := c.exchange(request("PutItem", fmt.Sprintf(calls[0].body, i))); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) stop() {
	_ = s.command.Process.Kill()
	_ = s.command.Wait()
}

// do makes one call on a connection of its own.
func (s *server) do(operation, body string) error {
	c, err := s.connect()
	if err != nil {
		return err
	}
	defer c.conn.Close()
	return c.exchange(request(operation, body))
}

// request is a call as it goes over the wire. It is written out once, and of its answer only
// the status and the length are read, so that most of the time is the server's.
func request(operation, body string) []byte {
	return fmt.Appendf(nil, "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-amz-json-1.0\r\n"+
		"X-Amz-Target: DynamoDB_20120810.%s\r\nX-Amz-Date: 20260102T030405Z\r\n"+
		"Authorization: AWS4-HMAC-SHA256 Credential=AKIAMEASURED/20260102/%s/dynamodb/aws4_request, "+
		"SignedHeaders=host;x-amz-date, Signature=0\r\nContent-Length: %d\r\n\r\n%s", operation, region, len(body), body)
}

type connection struct {
	conn   net.Conn
	reader *bufio.Reader
}

func (s *server) connect() (*connection, error) {
	conn, err := net.Dial("tcp", s.address)
	if err != nil {
		return nil, err
	}
	return &connection{conn, bufio.NewReader(conn)}, nil
}

// exchange makes one call and reads past its answer.
func (c *connection) exchange(request []byte) error {
	if err := c.send(request); err != nil {
		return err
	}
	return c.receive()
}

func (c *connection) send(request []byte) error {
	_, err := c.conn.Write(request)
	return err
}

// receive reads past an answer.
func (c *connection) receive() error {
	status, length, err := c.head()
	if err != nil {
		return err
	}
	if strings.HasPrefix(status, "HTTP/1.1 200 ") {
		_, err := c.reader.Discard(length)
		return err
	}
	text, err := io.ReadAll(io.LimitReader(c.reader, int64(length)))
	return errors.Join(err, fmt.Errorf("answered %s: %s", status, text))
}

// head reads an answer's status and headers, and tells how long its body is.
func (c *connection) head() (status string, length int, err error) {
	length = -1
	for {
		line, err := c.reader.ReadSlice('\n')
		if err != nil {
			return status, 0, err
		}
		line = bytes.TrimRight(line, "\r\n")
		name, value, _ := bytes.Cut(line, []byte(": "))
		switch {
		case status == "":
			status = string(line)
		case len(line) == 0 && length < 0:
			return status, 0, fmt.Errorf("answered %s without a length", status)
		case len(line) == 0:
			return status, length, nil
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(value)); err != nil {
				return status, 0, err
			}
		}
	}
}

// load is how many requests a second the server answers. One goroutine keeps all connections
// busy: it takes each answer in turn and sends that connection's next request at once, so that
// the load takes as little as it can of the processors that it shares with the server.
func (s *server) load(c call, span time.Duration) (float64, error) {
	var requests [items][]byte
	for i := range requests {
		requests[i] = request(c.operation, fmt.Sprintf(c.body, i))
	}
	var connections [clients]*connection
	for n := range connections {
		connection, err := s.connect()
		if err != nil {
			return 0, err
		}
		defer connection.conn.Close()
		connections[n] = connection
		if err := connection.send(requests[n]); err != nil {
			return 0, err
		}
	}
	began, done := time.Now(), 0
	for ; done%clients > 0 || time.Since(began) < span; done++ {
		connection := connections[done%clients]
		if err := connection.receive(); err != nil {
			return 0, err
		}
		if err := connection.send(requests[(done+clients)%items]); err != nil {
			return 0, err
		}
	}
	return float64(done) / time.Since(began).Seconds(), nil
}
