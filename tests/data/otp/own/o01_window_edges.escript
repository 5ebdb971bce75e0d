#!/usr/bin/env escript
%%! -kernel logger_level notice
-module(o01_window_edges).
-mode(compile).
-compile([export_all, nowarn_export_all, nowarn_unused_function, nowarn_shadow_vars]).

%% O01  V9: the window counts whole seconds, both ends included, and slides.
%% With period 1 a crash still counts when the clock's second differs by one and
%% not when it differs by two, whatever the time between: 1.6 s can be inside,
%% 1.41 s outside. No crash is planned for the last 0.4 s of a second, since a busy
%% machine is late.
run() ->
    process_flag(trap_exit, true),
    [begin
         S = sup(#{intensity => Intensity, period => Period}, [spec(a)]),
         Start = align(),
         ev(obs, crashes, {Intensity, Period, Times, crash(S, Start, Times)}),
         stop_sup(S)
     end || {Intensity, Period, Times} <-
        [{1, 1, [600, 1100]}, {1, 1, [0, 1600]}, {1, 1, [600, 2010]},
         {2, 1, [600, 1100, 2010, 2300]}, {2, 1, [0, 600, 2010]}]].
crash(_, _, []) -> survived;
crash(S, Start, [T | Ts]) ->
    timer:sleep(max(0, Start + T - erlang:monotonic_time(millisecond))),
    kill(a, {signal, kill}),
    receive {'EXIT', S, R} -> {T, R}
    after 50 -> crash(S, Start, Ts)
    end.
%% Wait for the next change of the second; when that was, in milliseconds.
align() ->
    T = erlang:monotonic_time(1),
    (fun F() -> case erlang:monotonic_time(1) of T -> timer:sleep(1), F(); _ -> ok end end)(),
    (T + 1) * 1000.

%% ---- the worker: a gen_server that reports its life -------------------------
%% Opts: trap (true|false), linger (ms spent in terminate), late (report after
%% lingering).  What init returns comes from the ets table 'plan': Id => fun(N),
%% N being the number of the incarnation.
w(Id) -> w(Id, #{}).
w(Id, Opts) -> gen_server:start_link({local, Id}, ?MODULE, {w, Id, Opts}, []).

init({sup, Flags, Specs}) -> {ok, {Flags, Specs}};
init({w, Id, Opts}) ->
    process_flag(trap_exit, maps:get(trap, Opts, true)),
    {L, N} = next(Id),
    Plan = case ets:lookup(plan, Id) of [{_, F}] -> F(N); [] -> ok end,
    ets:member(names, quiet) orelse ev(L, init, Plan),
    case Plan of
        ok -> {ok, {L, Opts}};
        ignore -> ignore;
        {stop, R} -> {stop, R};
        {raise, R} -> erlang:error(R)
    end.
handle_call(label, _, {L, _} = S) -> {reply, L, S};
handle_call({stop, R}, _, S) -> {stop, R, ok, S};
handle_call({crash, R}, _, _) -> erlang:error(R).
handle_cast({exit, R}, _) -> exit(R);
handle_cast({stop, R}, S) -> {stop, R, S}.
handle_info(M, {L, _} = S) -> ev(L, info, M), {noreply, S}.
terminate(R, {L, Opts}) ->
    Late = maps:get(late, Opts, false),
    Late orelse ets:member(names, quiet) orelse ev(L, terminate, R),
    case maps:get(linger, Opts, 0) of 0 -> ok; T -> timer:sleep(T) end,
    Late andalso ev(L, terminated, R).

%% Kill a child and wait until the supervisor has dealt with it.
kill(Id, How) ->
    P = whereis(Id), M = monitor(process, P), ev(obs, do, {How, P}),
    case How of
        {cast, X} -> gen_server:cast(P, X);
        {signal, R} -> exit(P, R)
    end,
    receive {'DOWN', M, _, _, _} -> ok end.
sync(S) -> _ = supervisor:which_children(S), ok.
kids(S) -> [{I, C} || {I, C, _, _} <- supervisor:which_children(S)].
%% Stop a supervisor the way its parent would, and wait.
stop_sup(S) ->
    case is_process_alive(S) of
        true -> exit(S, shutdown), receive {'EXIT', S, R} -> R end;
        false -> gone
    end.
sup(Flags, Specs) ->
    R = supervisor:start_link(?MODULE, {sup, Flags, Specs}),
    case R of {ok, P} -> name(P, sup), P; _ -> R end.
spec(Id) -> spec(Id, #{}).
spec(Id, M) -> maps:merge(#{id => Id, start => {?MODULE, w, [Id]}}, M).

%% ---------------------------------------------------------------------------
%% Harness (identical in every scenario file).
%% A trace line is  "<who> <event> <term>".  Pids print as the symbolic name
%% they were introduced under (c1#2 = second incarnation of child c1),
%% references as '$ref', stack traces as '$stack'.  Supervisor reports are part
%% of the order (the supervisor logs them itself); lines starting with "~" are
%% the other reports, sorted: their order is no part of the contract.
%% ---------------------------------------------------------------------------
main(_) ->
    Me = self(),
    ets:new(names, [named_table, public]),
    ets:new(incarnation, [named_table, public]),
    ets:new(plan, [named_table, public]),
    register(trace_log, spawn(fun() -> log_loop([], []) end)),
    logger:remove_handler(default),
    logger:add_handler(trace_h, ?MODULE, #{filter_default => log}),
    name(Me, main),
    process_flag(trap_exit, true),
    {P, R} = spawn_monitor(fun() -> name(self(), obs), run() end),
    receive
        {'DOWN', R, process, P, normal} -> ok;
        {'DOWN', R, process, P, Why} -> ev(main, scenario_crashed, Why)
    end,
    timer:sleep(300),                      % let the last reports come in
    trace_log ! {dump, Me},
    receive {lines, Ls, Rs} ->
        [io:put_chars([L, $\n]) || L <- Ls],
        [io:put_chars(["~ ", L, $\n]) || L <- lists:sort(Rs)]
    end,
    halt(0).

%% Ordered events, and reports whose order is not part of the contract.
log_loop(Acc, Rep) ->
    receive
        {ev, From, Ref, Line} -> From ! {Ref, ok}, log_loop([Line | Acc], Rep);
        {report, Line} -> log_loop(Acc, [Line | Rep]);
        {dump, From} -> From ! {lines, lists:reverse(Acc), Rep}
    end.

%% Synchronous: the event is on record before the caller goes on.
ev(Who, Event, Term) ->
    Ref = make_ref(),
    trace_log ! {ev, self(), Ref, line(Who, Event, Term)},
    receive {Ref, ok} -> ok end.

line(Who, Event, Term) ->
    unicode:characters_to_list(io_lib:format("~ts ~ts ~0tp", [str(Who), str(Event), clean(Term)])).
report(Event, Term) -> trace_log ! {report, line(log, Event, Term)}, ok.

str(X) when is_atom(X) -> atom_to_list(X);
str(X) when is_pid(X) -> str(clean(X));
str(X) -> io_lib:format("~0tp", [X]).

name(Pid, N) -> ets:insert(names, {Pid, N}), N.

%% The label for the next incarnation of Id: c1#1, c1#2, ...
next(Id) ->
    N = ets:update_counter(incarnation, Id, 1, {Id, 0}),
    L = list_to_atom(atom_to_list(Id) ++ "#" ++ integer_to_list(N)),
    name(self(), L), {L, N}.

clean(P) when is_pid(P) ->
    case ets:lookup(names, P) of [{_, N}] -> N; [] -> '$pid' end;
clean(R) when is_reference(R) -> '$ref';
clean(F) when is_function(F) -> '$fun';
clean([{M, F, A, L} | _]) when is_atom(M), is_atom(F), is_list(L),
                               (is_integer(A) orelse is_list(A)) -> '$stack';
clean([H | T]) -> [clean(H) | clean(T)];
clean(T) when is_tuple(T) -> list_to_tuple([clean(X) || X <- tuple_to_list(T)]);
clean(M) when is_map(M) -> maps:map(fun(_, V) -> clean(V) end, M);
clean(X) -> X.

%% Reports seen by the logger, as trace lines.
log(#{msg := {report, #{label := {supervisor, progress}}}}, _) -> ok;
log(#{msg := {report, #{label := {supervisor, Ctx}, report := R}}}, _) ->
    Off = proplists:get_value(offender, R),
    ev(log, supervisor_report, {Ctx, proplists:get_value(id, Off),
                                proplists:get_value(reason, R)});
log(#{msg := {report, #{label := {gen_server, terminate}, name := N, reason := R}}}, _) ->
    report(gen_server_terminate, {N, R});
log(#{msg := {report, #{label := {proc_lib, crash}, report := [I | _]}}}, _) ->
    {C, R, _} = proplists:get_value(error_info, I),
    report(crash_report, {proplists:get_value(pid, I), C, R});
log(#{msg := {string, S}}, _) -> report(string, lists:flatten(S));
log(#{msg := {report, #{label := L}}}, _) -> report(report, L);
log(#{msg := {F, A}}, _) when is_list(F) ->
    report(message, lists:flatten(io_lib:format(F, clean(A))));
log(_, _) -> ok.

drain() -> receive M -> [clean(M) | drain()] after 50 -> [] end.
wait(F) -> wait(F, 400).
wait(_, 0) -> timeout;
wait(F, N) -> case F() of true -> ok; _ -> timer:sleep(5), wait(F, N - 1) end.
