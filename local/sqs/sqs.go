// Package sqs is Amazon SQS of the embedded AWS, as far as dead-letter queues go:
// standard queues that keep messages until somebody takes them out.
//
// It must never know what a message says.
package sqs

import (
	"context"
	"crypto/md5" // what SQS answers, and no protection
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"portolan/local/clock"
	"portolan/local/disk"
	"portolan/local/unique"
	"portolan/local/wire"
)

// Config is what a Server is made of.
type Config struct {
	Clock   *clock.Clock
	Disk    *disk.Disk
	IDs     *unique.Source
	Account string
	Region  string
}

// A Server answers SQS's calls under the signing name sqs.
type Server struct {
	*wire.Service
	config Config

	mu     sync.Mutex
	queues map[string][]*message // by name
}

type message struct {
	ID         string            `json:"id"`
	Queue      string            `json:"queue"`
	Body       string            `json:"body"`
	Attributes map[string]string `json:"attributes,omitempty"`
	SentAt     time.Time         `json:"sentAt"`
	VisibleAt  time.Time         `json:"visibleAt"`
	Receipt    string            `json:"receipt,omitempty"`
	Receives   int               `json:"receives"`
}

const (
	bucket            = "sqs/messages"
	visibilityTimeout = 30 * time.Second
	receiveMax        = 10
)

// New returns a server with the messages on disk.
func New(config Config) (*Server, error) {
	s := &Server{config: config, queues: map[string][]*message{}}
	err := config.Disk.Load(bucket, func(_, value []byte) error {
		m := new(message)
		if err := json.Unmarshal(value, m); err != nil {
			return fmt.Errorf("reading a message: %w", err)
		}
		s.queues[m.Queue] = append(s.queues[m.Queue], m)
		return nil
	})
	s.Service = &wire.Service{
		Name: "sqs", Protocol: wire.JSON10, Target: "AmazonSQS",
		Operations: map[string]wire.Operation{
			"ListQueues":              wire.Op(s.listQueues),
			"GetQueueUrl":             wire.Op(s.getQueueURL),
			"GetQueueAttributes":      wire.Op(s.getQueueAttributes),
			"SendMessage":             wire.Op(s.sendMessage),
			"ReceiveMessage":          wire.Op(s.receiveMessage),
			"DeleteMessage":           wire.Op(s.deleteMessage),
			"ChangeMessageVisibility": wire.Op(s.changeVisibility),
			"PurgeQueue":              wire.Op(s.purgeQueue),
		},
	}
	return s, err
}

// CreateQueue makes a queue; one that is there stays as it is.
func (s *Server) CreateQueue(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.queues[name]; !ok {
		s.queues[name] = nil
	}
}

// Send puts a message into a queue, as services do with what they cannot deliver.
func (s *Server) Send(queue, body string, attributes map[string]string) (id string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.queues[queue]; !ok {
		return "", noQueue()
	}
	now := s.config.Clock.Now()
	m := &message{ID: s.config.IDs.UUID(), Queue: queue, Body: body, Attributes: attributes, SentAt: now, VisibleAt: now}
	if err := s.save(m); err != nil {
		return "", err
	}
	s.queues[queue] = append(s.queues[queue], m)
	return m.ID, nil
}

func (s *Server) save(m *message) error {
	value, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return s.config.Disk.Update(func(tx *disk.Tx) error { return tx.Put(bucket, []byte(m.ID), value) })
}

func noQueue() error {
	return &wire.Error{Code: "com.amazonaws.sqs#QueueDoesNotExist",
		Message: "The specified queue does not exist.", QueryCode: "AWS.SimpleQueueService.NonExistentQueue"}
}

func (s *Server) url(name string) string {
	return "https://sqs." + s.config.Region + ".amazonaws.com/" + s.config.Account + "/" + name
}

// queueOf finds the queue of a URL. s.mu is held.
func (s *Server) queueOf(url string) (string, error) {
	name := url[strings.LastIndex(url, "/")+1:]
	if _, ok := s.queues[name]; !ok {
		return "", noQueue()
	}
	return name, nil
}

type urls struct {
	QueueUrls []string `json:"QueueUrls"`
}

func (s *Server) listQueues(_ context.Context, in *struct {
	QueueNamePrefix string `json:"QueueNamePrefix"`
}) (*urls, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := &urls{}
	for name := range s.queues {
		if strings.HasPrefix(name, in.QueueNamePrefix) {
			out.QueueUrls = append(out.QueueUrls, s.url(name))
		}
	}
	slices.Sort(out.QueueUrls)
	return out, nil
}

type queueURL struct {
	QueueURL string `json:"QueueUrl"`
}

func (s *Server) getQueueURL(_ context.Context, in *struct {
	QueueName string `json:"QueueName"`
}) (*queueURL, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name, err := s.queueOf(in.QueueName)
	if err != nil {
		return nil, err
	}
	return &queueURL{s.url(name)}, nil
}

type attributes struct {
	Attributes map[string]string `json:"Attributes"`
}

func (s *Server) getQueueAttributes(_ context.Context, in *queueURL) (*attributes, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name, err := s.queueOf(in.QueueURL)
	if err != nil {
		return nil, err
	}
	hidden, now := 0, s.config.Clock.Now()
	for _, m := range s.queues[name] {
		if m.VisibleAt.After(now) {
			hidden++
		}
	}
	return &attributes{map[string]string{
		"QueueArn":                              "arn:aws:sqs:" + s.config.Region + ":" + s.config.Account + ":" + name,
		"ApproximateNumberOfMessages":           strconv.Itoa(len(s.queues[name]) - hidden),
		"ApproximateNumberOfMessagesNotVisible": strconv.Itoa(hidden),
		"VisibilityTimeout":                     strconv.Itoa(int(visibilityTimeout / time.Second)),
	}}, nil
}

type sent struct {
	MessageID        string `json:"MessageId"`
	MD5OfMessageBody string `json:"MD5OfMessageBody"`
}

func (s *Server) sendMessage(_ context.Context, in *struct {
	queueURL
	MessageBody string `json:"MessageBody"`
}) (*sent, error) {
	s.mu.Lock()
	name, err := s.queueOf(in.QueueURL)
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	id, err := s.Send(name, in.MessageBody, nil)
	return &sent{MessageID: id, MD5OfMessageBody: sum(in.MessageBody)}, err
}

func sum(body string) string {
	digest := md5.Sum([]byte(body))
	return hex.EncodeToString(digest[:])
}

type received struct {
	MessageID     string            `json:"MessageId"`
	ReceiptHandle string            `json:"ReceiptHandle"`
	MD5OfBody     string            `json:"MD5OfBody"`
	Body          string            `json:"Body"`
	Attributes    map[string]string `json:"Attributes,omitempty"`
	Message       map[string]value  `json:"MessageAttributes,omitempty"`
}

type value struct {
	DataType    string `json:"DataType"`
	StringValue string `json:"StringValue"`
}

type messages struct {
	Messages []received `json:"Messages,omitempty"`
}

func (s *Server) receiveMessage(_ context.Context, in *struct {
	queueURL
	MaxNumberOfMessages int `json:"MaxNumberOfMessages"`
	VisibilityTimeout   int `json:"VisibilityTimeout"`
}) (*messages, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name, err := s.queueOf(in.QueueURL)
	if err != nil {
		return nil, err
	}
	hide := visibilityTimeout
	if in.VisibilityTimeout > 0 {
		hide = time.Duration(in.VisibilityTimeout) * time.Second
	}
	most, now, out := min(max(in.MaxNumberOfMessages, 1), receiveMax), s.config.Clock.Now(), &messages{}
	for _, m := range s.queues[name] {
		if len(out.Messages) == most {
			break
		}
		if m.VisibleAt.After(now) {
			continue
		}
		m.VisibleAt, m.Receipt = now.Add(hide), s.config.IDs.UUID()
		m.Receives++
		if err := s.save(m); err != nil {
			return nil, err
		}
		out.Messages = append(out.Messages, m.received())
	}
	return out, nil
}

func (m *message) received() received {
	out := received{MessageID: m.ID, ReceiptHandle: m.Receipt, MD5OfBody: sum(m.Body), Body: m.Body,
		Attributes: map[string]string{
			"SentTimestamp":           strconv.FormatInt(m.SentAt.UnixMilli(), 10),
			"ApproximateReceiveCount": strconv.Itoa(m.Receives),
		}}
	for name, text := range m.Attributes {
		if out.Message == nil {
			out.Message = map[string]value{}
		}
		out.Message[name] = value{"String", text}
	}
	return out
}

func (s *Server) deleteMessage(_ context.Context, in *struct {
	queueURL
	ReceiptHandle string `json:"ReceiptHandle"`
}) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name, err := s.queueOf(in.QueueURL)
	if err != nil {
		return nil, err
	}
	for i, m := range s.queues[name] {
		if m.Receipt == in.ReceiptHandle && m.Receipt != "" {
			s.queues[name] = slices.Delete(s.queues[name], i, i+1)
			return &struct{}{}, s.forget(m)
		}
	}
	return &struct{}{}, nil
}

// visibilityMax is how long a message may be hidden at most.
const visibilityMax = 12 * time.Hour

func (s *Server) changeVisibility(_ context.Context, in *struct {
	queueURL
	ReceiptHandle     string `json:"ReceiptHandle"`
	VisibilityTimeout int    `json:"VisibilityTimeout"`
}) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name, err := s.queueOf(in.QueueURL)
	if err != nil {
		return nil, err
	}
	hide := time.Duration(in.VisibilityTimeout) * time.Second
	if hide < 0 || hide > visibilityMax {
		return nil, wire.Errorf("InvalidParameterValue",
			"Value %d for parameter VisibilityTimeout is invalid. Reason: Must be between 0 and 43200.", in.VisibilityTimeout)
	}
	for _, m := range s.queues[name] {
		if m.Receipt != in.ReceiptHandle || m.Receipt == "" {
			continue
		}
		now := s.config.Clock.Now()
		if !m.VisibleAt.After(now) {
			return nil, &wire.Error{Code: "com.amazonaws.sqs#MessageNotInflight",
				Message: "The specified message isn't in flight.", QueryCode: "AWS.SimpleQueueService.MessageNotInflight"}
		}
		m.VisibleAt = now.Add(hide)
		return &struct{}{}, s.save(m)
	}
	return nil, &wire.Error{Code: "com.amazonaws.sqs#ReceiptHandleIsInvalid",
		Message: "The input receipt handle is invalid.", QueryCode: "ReceiptHandleIsInvalid"}
}

func (s *Server) purgeQueue(_ context.Context, in *queueURL) (*struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name, err := s.queueOf(in.QueueURL)
	if err != nil {
		return nil, err
	}
	gone := s.queues[name]
	s.queues[name] = nil
	return &struct{}{}, s.forget(gone...)
}

func (s *Server) forget(gone ...*message) error {
	return s.config.Disk.Update(func(tx *disk.Tx) error {
		for _, m := range gone {
			if err := tx.Delete(bucket, []byte(m.ID)); err != nil {
				return err
			}
		}
		return nil
	})
}
